import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("..", import.meta.url));

/** One project per kind of test: `unit` is the quick inner loop, the others use real servers. */
function project(name: string, timeoutMs: number, workers: number) {
  return {
    root,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      maxWorkers: workers,
    },
  };
}

export default defineConfig({
  root,
  test: {
    projects: [
      project("unit", 60_000, 2),
      project("conformance", 120_000, 1),
      project("integration", 600_000, 1),
      project("e2e", 900_000, 1),
    ],
  },
});
