// Who is labeling: asked once, kept in this browser. And the token, where the server wants one.

import { ApiError, type Api } from "./api";
import { askText } from "./dom";

const slot = "gleaner.actor";

export const actor = (): string => localStorage.getItem(slot) ?? "";

export async function askName(): Promise<string> {
  for (let name = actor(); ; ) {
    const given = await askText("Who is labeling?", "Your name is stored with every label that you submit.", "text", name);
    if (given !== null && /^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._@:+-]{0,63}$/u.test(given)) {
      localStorage.setItem(slot, given);
      return given;
    }
    name = given ?? name;
  }
}

/** Runs a call; when the server wants a token, asks for it, signs in and runs the call again. */
export async function signedIn<T>(api: Api, call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (err) {
      if (!(err instanceof ApiError) || err.status !== 401) throw err;
      const token = await askText("Sign in", "This server asks for its token (web.token in its configuration).", "password");
      if (token !== null) await api.signIn(token).catch(() => undefined); // a wrong one is asked for again
    }
  }
}
