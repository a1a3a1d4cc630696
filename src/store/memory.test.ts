import { describeStore } from "./conformance.ts";
import { createMemoryStore } from "./memory.ts";

describeStore("createMemoryStore()", async (clock) => createMemoryStore({ clock }));
