"use strict";

// What is filtered and sorted stands in the address, after the section:
// #traces?traces.label=unit_unknown&traces.page=2
const address = {
  parts: new Map(),

  // Adds a value with its name; an empty text is the value that it starts with.
  add(name, get, set) {
    this.parts.set(name, { get, set });
  },

  // Returns the fragment for a place on the page with all values as they are, or as given.
  at(place, given = {}) {
    const query = new URLSearchParams();
    for (const [name, { get }] of this.parts) {
      const value = given[name] ?? get();
      if (value) query.set(name, value);
    }
    return query.size ? `#${place}?${query}` : `#${place}`;
  },

  write(place) {
    history.replaceState(null, "", this.at(place));
  },

  read() {
    const [place, query] = location.hash.slice(1).split(/\?(.*)/s);
    return { place: plain(place), query: new URLSearchParams(query) };
  },

  restore(query) {
    for (const [name, { set }] of this.parts) set(query.get(name) ?? "");
  },
};

function plain(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
