// Making and finding elements. Text goes in as text nodes only, so nothing that a producer or labeler wrote becomes markup.

type Props<K extends keyof HTMLElementTagNameMap> = Partial<Omit<HTMLElementTagNameMap[K], "style">>;

export function el<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props<K> = {}, ...children: (Node | string | null)[]): HTMLElementTagNameMap[K] {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...children.filter((c) => c !== null));
  return e;
}

export function byID<T extends HTMLElement>(id: string, type: new () => T): T {
  const e = document.getElementById(id);
  if (!(e instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
  return e;
}

export interface Choice {
  text: string;
  value: string;
  primary?: boolean;
}

/** Asks the person, and resolves to the value of the button pressed, or to "" when the dialog is dismissed. */
export function ask(title: string, content: (Node | string)[], choices: Choice[]): Promise<string> {
  return new Promise((done) => {
    const form = el("form", { method: "dialog" }, el("h2", { textContent: title }), ...content);
    const row = el("div", { className: "row end" });
    for (const c of choices) {
      row.append(el("button", { value: c.value, textContent: c.text, className: c.primary ? "primary" : "", autofocus: c.primary ?? false }));
    }
    form.append(row);
    // The first submit button is what Enter presses.
    const dialog = el("dialog", {}, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(dialog.returnValue);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Asks for one line of text; null when dismissed. */
export async function askText(title: string, hint: string, type: "text" | "password", value = ""): Promise<string | null> {
  const input = el("input", { type, value, required: true, maxLength: 64, autofocus: true, autocomplete: "off" });
  const answer = await ask(title, [el("p", { textContent: hint }), input], [{ text: "Continue", value: "ok", primary: true }]);
  return answer === "ok" ? input.value.trim() : null;
}
