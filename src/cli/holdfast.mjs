#!/usr/bin/env node
/** What `holdfast` starts. Plain JavaScript that an older Node can read, so that it is told and does not crash. */
const leastMajor = 24;

if (Number.parseInt(process.versions.node, 10) < leastMajor) {
  process.stderr.write(
    `error usage: Holdfast needs Node ${leastMajor} or newer, and this is ${process.versions.node}\n` +
      "  next: put a newer Node first on PATH; in a checkout, npx holdfast brings its own\n",
  );
  process.exitCode = 2;
} else {
  const { useCompileCache } = await import("../compile-cache.mjs");
  useCompileCache();
  await import("./main.ts");
}
