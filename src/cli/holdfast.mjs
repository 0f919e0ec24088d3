#!/usr/bin/env node
/** What `holdfast` starts. */
import { useCompileCache } from "../compile-cache.mjs";

useCompileCache();
await import("./main.ts");
