
"use strict";
(() => {
  const table = document.getElementById("table");
  if (!table) return;
  const body = table.tBodies[0];
  const form = document.getElementById("filters");
  const shown = document.getElementById("shown");
  const field = (id) => document.getElementById(id);
  // Read once: asking the page for its text is slow, and nothing changes it.
  const rows = Array.from(body.rows, (row) => ({ row, text: row.textContent.toLowerCase(), data: row.dataset }));

  const value = (id) => (field(id) ? field(id).value : "");
  function filter() {
    const words = value("text").toLowerCase().split(/\s+/).filter(Boolean);
    const severities = new Set(Array.from(form.querySelectorAll("[name=severity]:checked"), (box) => box.value));
    const [fix, policy, layer] = [value("fix"), value("policy"), value("layer")];
    const onlyNew = field("new") && field("new").checked;
    let count = 0;
    for (const { row, text, data } of rows) {
      const visible = severities.has(data.severity) && (!fix || data.fix === fix) && (!policy || data.policy === policy)
        && (!layer || data.layer === layer) && (!onlyNew || data.new === "1") && words.every((word) => text.includes(word));
      row.hidden = !visible;
      count += visible;
    }
    shown.textContent = `${count} of ${rows.length} shown`;
  }

  const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  function sort(column, header) {
    const descending = header.getAttribute("aria-sort") === "ascending";
    const numbers = header.dataset.sort === "number";
    const sorted = rows.map((entry) => ({ entry, key: entry.row.cells[column].dataset.key }));
    sorted.sort((a, b) => {
      // What has no value stays at the end either way.
      if (a.key === "" || b.key === "") return (a.key === "") - (b.key === "");
      const difference = numbers ? a.key - b.key : order.compare(a.key, b.key);
      return descending ? -difference : difference;
    });
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    body.append(...sorted.map(({ entry }) => entry.row));
  }

  Array.from(table.tHead.rows[0].cells).forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(column, header));
    header.append(button);
  });
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  form.hidden = false;
  filter();
})();
