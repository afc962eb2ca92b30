"use strict";

// A preference test without its screen: which pairs are asked in which order, what the votes say, and files of them.

const Votes = (() => {
  const FIELDS = [
    "session", "number", "started", "participant", "question", "seed", "version", "image", "output_width", "output_height", "place", "place_x", "place_y",
    "place_width", "place_height", "zoom", "left", "right", "choice", "seconds",
  ];
  const Z = 1.959964; // of a confidence of 95 %
  const FORMULA = /^'*[=+\-@＝＋－＠\t\r\n]/; // text that spreadsheets would compute; `dpid compare --votes` removes the quote

  // Numbers from 0 to 1 that follow from a seed (mulberry32).
  function randomOf(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  function shuffled(items, random) {
    const order = [...items];
    for (let last = order.length - 1; last > 0; last--) {
      const other = Math.floor(random() * (last + 1));
      [order[last], order[other]] = [order[other], order[last]];
    }
    return order;
  }

  // Every pair at every place, `repeats` times: in random order in each round, on random sides that change from
  // round to round.
  function planned(pairs, places, repeats, seed) {
    const random = randomOf(seed);
    const once = places.flatMap((place) => pairs.map(([one, other]) => ({ ...place, keys: random() < 0.5 ? [one, other] : [other, one] })));
    return Array.from({ length: repeats }, (_, round) => round).flatMap((round) =>
      shuffled(once, random).map(({ keys, ...place }) => {
        const [left, right] = round % 2 ? [...keys].reverse() : keys;
        return { ...place, left, right };
      })
    );
  }

  // Wilson's interval of a share; ties count half.
  function interval(successes, count) {
    const [share, spread] = [successes / count, Z ** 2 / count];
    const middle = (share + spread / 2) / (1 + spread);
    const half = (Z * Math.sqrt((share * (1 - share)) / count + spread / count / 4)) / (1 + spread);
    return [Math.max(0, middle - half), Math.min(1, middle + half)];
  }

  // Wins, ties and pairs of each variant, best first.
  function tallied(votes) {
    const tallies = new Map();
    for (const { left, right, choice } of votes) {
      for (const [key, side] of [[left, "left"], [right, "right"]]) {
        const tally = tallies.get(key) ?? { key, wins: 0, ties: 0, pairs: 0 };
        tally.wins += choice === side ? 1 : 0;
        tally.ties += choice === "none" ? 1 : 0;
        tally.pairs += 1;
        tallies.set(key, tally);
      }
    }
    const rows = [...tallies.values()].map((tally) => {
      const successes = tally.wins + tally.ties / 2;
      const [low, high] = interval(successes, tally.pairs);
      return { ...tally, share: successes / tally.pairs, low, high };
    });
    return rows.sort((one, other) => other.share - one.share);
  }

  function rowOf({ votes, ...test }, { region, ...vote }) {
    const [left, top, right, bottom] = region;
    return { ...test, ...vote, place_x: left, place_y: top, place_width: right - left, place_height: bottom - top };
  }

  function json(test) {
    const content = { format: "dpid votes", ...test, votes: test.votes.map((vote) => rowOf({}, vote)) };
    return new Blob([JSON.stringify(content, null, 1), "\n"], { type: "application/json" });
  }

  function csv(test) {
    const safe = (value) => (typeof value === "string" && FORMULA.test(value) ? `'${value}` : value);
    const quoted = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);
    const cell = (value) => quoted(safe(value));
    const rows = test.votes.map((vote) => rowOf(test, vote)).map((row) => FIELDS.map((field) => cell(row[field])).join(","));
    return new Blob([[FIELDS.join(","), ...rows, ""].join("\r\n")], { type: "text/csv" });
  }

  return { csv, interval, json, planned, tallied };
})();
