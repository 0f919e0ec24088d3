/** `node inventory-program.mjs SUMMARY`: one inventory to standard output; sides and rules come by environment. */
import { useCompileCache } from "../../compile-cache.mjs";

useCompileCache();
const { printInventory } = await import("./inventory.ts");
await printInventory(process.argv[2]);
