#!/usr/bin/env node
// The installed command: everything is bundled in dist/.
import "../dist/navarch.js";
