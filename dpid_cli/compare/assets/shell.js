"use strict";

// A file name as a shell and the command read it: in single quotes if the shell would read more in it than a word.
function quoted(name) {
  const safe = name.startsWith("-") ? `./${name}` : name;
  return /^[\w@%+=:,./-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`;
}
