// The token: asked for once, and kept in the tab.
import { $, say } from './dom.js';
import { token } from './state.js';

export const isAskingForToken = () => $('token-dialog').open;

export function askForToken() {
  if (isAskingForToken()) return;
  const was = token.get() !== null;
  token.forget();
  say($('token-refusal'), was ? 'That is not the token of this origin.' : '');
  $('token').value = '';
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  $('token-dialog').showModal();
}

/**
 * @param {{ given: () => void, forgotten: () => void }} then
 */
export function guardByToken({ given, forgotten }) {
  $('token-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = $('token').value.trim();
    // What no header can carry is no token.
    if (!/^[\x21-\x7e]+$/.test(text)) {
      return say($('token-refusal'), 'A token has letters, digits and signs, and no blanks.');
    }
    token.set(text);
    $('token-dialog').close();
    given();
  });
  // Without a token there is nothing behind the dialog.
  $('token-dialog').addEventListener('cancel', (event) => event.preventDefault());
  $('sign-out').addEventListener('click', () => {
    token.forget();
    forgotten();
  });
}
