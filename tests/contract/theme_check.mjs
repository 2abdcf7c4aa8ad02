// Lint a theme app extension and print the offenses as JSON.
// Usage: node theme_check.mjs <extension root> <config file>. Exit code 0 whenever the lint itself ran.
import { themeCheckRun } from '@shopify/theme-check-node';

const [root, config] = process.argv.slice(2);
const { offenses, theme } = await themeCheckRun(root, config, () => {});
const found = offenses.map(({ check, severity, uri, start, message }) => ({
  check,
  severity,
  file: uri.split('/').slice(-2).join('/'),
  line: start.line + 1,
  message,
}));
process.stdout.write(JSON.stringify({ files: theme.length, offenses: found }));
