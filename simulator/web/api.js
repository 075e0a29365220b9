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

const pauses = [200, 400, 800]; // milliseconds

// get asks again when the answer doesn't arrive: browsers drop what is under way when the machine's networks change.
export async function get(path) {
  for (const pause of pauses) {
    try {
      return await call("GET", path);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // There was an answer.
      await new Promise((resume) => { setTimeout(resume, pause); });
    }
  }
  return call("GET", path);
}

export const post = (path, body) => call("POST", path, body || {});

// The account that the page is about.
export const account = document.body.dataset.account;
