"""What operators may ask on the command line, a module per noun. Every command says why in one line when it fails."""
