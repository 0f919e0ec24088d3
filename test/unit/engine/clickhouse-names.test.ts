import { expect, it } from "vitest";
import { splitName } from "../../../src/engine/clickhouse/tables.ts";

it.each([
  ["shop.orders", ["shop"], "shop", "orders"],
  ["shop.eu.orders", ["shop.eu"], "shop.eu", "orders"],
  ["shop.eu.orders", ["shop", "shop.eu"], "shop.eu", "orders"],
  ["shop.odd.name", ["shop", "shop.eu"], "shop", "odd.name"],
  ["gone.orders", [], "gone", "orders"],
])("%s with databases %j is %s and %s", (full, databases, database, name) => {
  expect(splitName(full, databases)).toEqual([database, name]);
});
