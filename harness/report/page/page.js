"use strict";
document.documentElement.classList.add("js");
document.addEventListener("DOMContentLoaded", () => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Rows open to their seeds, by their button or by a click anywhere in the row that selects nothing.
  const toggle = (body) => {
    const open = body.classList.toggle("shown");
    body.querySelector(".open").setAttribute("aria-expanded", open);
  };
  all("tbody.row").forEach((body) => body.rows[0].addEventListener("click", () => {
    if (getSelection().isCollapsed) toggle(body);
  }));

  // A column is sorted by its numbers where it has some, else by its texts; what has none stands last in both directions.
  const key = (body, column) => {
    const cell = body.rows[0].cells[column], text = cell.textContent.trim();
    return { number: cell.dataset.v === undefined ? NaN : Number(cell.dataset.v), text };
  };
  const MISSING = "\u2013";
  const texts = new Intl.Collator("en", { numeric: true });
  const sort = (table, column, descending) => {
    const found = [...table.tBodies].map((body, i) => ({ body, i, ...key(body, column) }));
    const numbers = found.some((each) => !Number.isNaN(each.number));
    const order = (a, b) => {
      if (!numbers) return texts.compare(a.text, b.text);
      return Number.isNaN(a.number) || Number.isNaN(b.number) ? 0 : a.number - b.number;
    };
    const last = (each) => numbers ? Number.isNaN(each.number) : each.text === MISSING;
    found.sort((a, b) => last(a) - last(b) || (descending ? order(b, a) : order(a, b)) || a.i - b.i);
    table.append(...found.map((each) => each.body));
    table.classList.add("sorted");
  };
  all(".table table").forEach((table) => all("thead th", table).forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const numbers = [...table.tBodies].some((body) => body.rows[0].cells[column].dataset.v !== undefined);
      const known = head.getAttribute("aria-sort"), descending = known ? known === "ascending" : numbers;
      sort(table, column, descending);
      all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    });
  }));

  // Filters hide rows, the tables that they leave empty with their figures, the datasets that are left without a table, and
  // what leads to any of these.
  const form = document.querySelector(".filters");
  if (!form) return;
  const selects = all("select", form), output = form.querySelector("output");
  const filter = () => {
    const asked = selects.filter((select) => select.value);
    let shown = 0;
    for (const part of all(".dataset")) {
      let tables = 0;
      for (const table of all(".table", part)) {
        let rows = 0;
        for (const body of all("tbody.row", table)) {
          body.hidden = asked.some((select) => body.dataset[select.name] !== select.value);
          if (!body.hidden) [rows, shown] = [rows + 1, shown + Number(body.dataset.runs)];
        }
        table.hidden = !rows;
        tables += rows > 0;
      }
      part.hidden = !tables;
    }
    for (const figure of all("figure[data-table]")) figure.hidden = document.getElementById(figure.dataset.table).hidden;
    for (const link of all("nav a")) link.hidden = document.getElementById(link.hash.slice(1)).closest("[hidden]") !== null;
    for (const item of all("nav li")) item.hidden = item.querySelector("a").hidden;
    const total = Number(output.dataset.total);
    form.classList.toggle("active", asked.length > 0);
    const chosen = asked.map((select) => `${select.name} ${select.value}`).join(", ");
    output.textContent = asked.length
      ? `${shown} of ${total} runs: ${chosen}; a figure shows all runs of its table`
      : `${total} runs`;
  };
  form.addEventListener("change", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("pageshow", filter);
});
