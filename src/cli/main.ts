#!/usr/bin/env node
console.log("holdfast 0.1.0: nothing is built yet");
