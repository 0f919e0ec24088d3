/** Makes one data key in a thread of its own. Plain JavaScript, so that the compile cache is on before the rest. */
import { parentPort, workerData } from "node:worker_threads";
import { useCompileCache } from "../compile-cache.mjs";

useCompileCache();
const { newDataKey } = await import("./data-key.ts");
parentPort?.postMessage(await newDataKey(workerData));
