// What WeChat can push, by name: the forms are made of it, and records get their titles from it.
import { get } from "/static/api.js";

export const titles = new Map();

export async function loadTypes() {
  const { types } = await get("types");
  for (const one of types) titles.set(one.name, one);
}
