// The control API. Everything that the page does goes through it.
export async function call(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const response = await fetch("/sim/v1/" + path, options);
  const value = await response.json();
  if (!response.ok) throw new Error(value.error || "HTTP " + response.status);
  return value;
}

export const get = (path) => call("GET", path);
export const post = (path, body) => call("POST", path, body || {});

// The account that the page is about.
export const account = document.body.dataset.account;
