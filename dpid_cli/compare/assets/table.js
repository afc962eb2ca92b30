"use strict";

// The numbers: sorted by any column, everywhere or at a place, with the two sides marked.

const Table = (() => {
  const tables = [...document.querySelectorAll("table.numbers")];

  function valueOf(row, column) {
    if (column === 0) return Number(row.dataset.order);
    const text = row.cells[column].textContent;
    return text ? Number(text.replace("−", "-").replace("∞", "1e308")) : NaN;
  }

  // The share of the largest number of a column, as a bar below each.
  function draw(table) {
    const rows = [...table.tBodies[0].rows];
    [...table.tHead.rows[0].cells].forEach((_, column) => {
      const values = rows.map((row) => Math.abs(valueOf(row, column)));
      const most = Math.max(...values.filter((value) => value < 1e308));
      if (column > 0) rows.forEach((row, i) => row.cells[column].style.setProperty("--part", Math.min(values[i] / most, 1) || 0));
    });
  }

  // Ascending where less is better, else descending; the other way at the second click. Empty cells come last.
  function sort(table, column) {
    const heading = table.tHead.rows[0].cells[column];
    const first = column === 0 || heading.dataset.better === "less" ? "ascending" : "descending";
    const other = first === "ascending" ? "descending" : "ascending";
    const direction = heading.getAttribute("aria-sort") === first ? other : first;
    for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const order = (value) => (Number.isNaN(value) ? Infinity : sign * value);
    const rows = [...table.tBodies[0].rows];
    rows.sort((one, next) => order(valueOf(one, column)) - order(valueOf(next, column)) || one.dataset.order - next.dataset.order);
    table.tBodies[0].append(...rows);
  }

  // Mark the rows of both sides with their colours.
  function mark(left, right) {
    for (const row of document.querySelectorAll("table.numbers tbody tr")) {
      row.classList.toggle("is-left", row.dataset.key === left);
      row.classList.toggle("is-right", row.dataset.key === right);
    }
  }

  function choose(scope) {
    for (const part of document.querySelectorAll("[data-scope]")) part.hidden = part.dataset.scope !== scope;
    for (const button of document.querySelectorAll("button[data-table]")) button.setAttribute("aria-pressed", String(button.dataset.table === scope));
  }

  function listen() {
    for (const table of tables) {
      draw(table);
      [...table.tHead.rows[0].cells].forEach((cell, column) => cell.querySelector("button").addEventListener("click", () => sort(table, column)));
    }
    for (const button of document.querySelectorAll("button[data-table]")) {
      button.hidden = false;
      button.addEventListener("click", () => choose(button.dataset.table));
    }
    $("more-numbers")?.addEventListener("click", () => {
      const isOpen = $("numbers-section").classList.toggle("all");
      $("more-numbers").setAttribute("aria-expanded", String(isOpen));
    });
    if ($("numbers-section")) {
      $("numbers-section").classList.replace("all", "scripted");
      $("more-numbers")?.removeAttribute("hidden");
      choose("everywhere");
    }
  }

  // The plain numbers of both sides at a place, as rows of texts: heading, left, right.
  function at(scope, keys) {
    const table = document.querySelector(`[data-scope="${scope}"] table.numbers`);
    if (!table) return [];
    const rows = keys.map((key) => [...table.tBodies[0].rows].find((row) => row.dataset.key === key));
    return [...table.tHead.rows[0].cells]
      .map((cell, column) => [cell, column])
      .filter(([cell, column]) => column > 0 && !cell.classList.contains("more"))
      .map(([cell, column]) => [cell.dataset.name, ...rows.map((row) => row?.cells[column].textContent || "–")]);
  }

  return { at, listen, mark };
})();
