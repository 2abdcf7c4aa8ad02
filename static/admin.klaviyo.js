// The way back from Klaviyo's consent page: the connection is made as soon as the page is inside the admin again. The button that does the
// same stays for whoever comes back without a token.
"use strict";

(() => {
  const form = document.querySelector("form[data-arrived]");
  // The ticket works once. Without it in the address, going back or loading anew asks for nothing a second time.
  const address = new URL(location.href);
  address.searchParams.delete("klaviyo_ticket");
  history.replaceState(history.state, "", address);
  form.requestSubmit();
})();
