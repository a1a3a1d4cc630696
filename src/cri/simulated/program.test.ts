import { expect, test } from "vitest";
import { CONTAINER_TYPE_ANNOTATION, type Program, type ProgramSource, readProgram } from "./program.ts";

const forever: Program = { runsMs: undefined, exitCode: 0, ignoresTerm: false, termExitCode: 0 };
const said = (key: string, value: string) => ({ podAnnotations: { [`simulation.navarch.dev/${key}`]: value } });
const cases: readonly { name: string; source: Partial<ProgramSource>; program: Partial<Program> }[] = [
  { name: "no command runs on", source: {}, program: forever },
  { name: "an unknown command runs on", source: { argv: ["nginx", "-g", "daemon off;"] }, program: forever },
  { name: "sleep ends", source: { argv: ["/bin/sleep", "5"] }, program: { runsMs: 5_000, exitCode: 0 } },
  { name: "sleep infinity does not", source: { argv: ["sleep", "infinity"] }, program: { runsMs: undefined, termExitCode: 143 } },
  { name: "false fails", source: { argv: ["false"] }, program: { runsMs: 0, exitCode: 1 } },
  {
    name: "a script adds up",
    source: { argv: ["sh", "-c", "echo hi; sleep 1 && sleep 2; exit 3"] },
    program: { runsMs: 3_000, exitCode: 3 },
  },
  {
    name: "a script that ignores SIGTERM",
    source: { argv: ["sh", "-c", "trap '' TERM; sleep 9"] },
    program: { runsMs: 9_000, ignoresTerm: true },
  },
  { name: "a script beyond us runs on", source: { argv: ["sh", "-c", "while true; do date; done"] }, program: forever },
  { name: "an interactive shell runs on", source: { argv: ["sh"] }, program: forever },
  {
    name: "annotations win over the command",
    source: { argv: ["sleep", "5"], ...said("exit-after", "300ms") },
    program: { runsMs: 300, exitCode: 0 },
  },
  { name: "an exit code alone exits at once", source: said("exit-code", "4"), program: { runsMs: 0, exitCode: 4 } },
  { name: "an annotation for another container does not count", source: said("exit-code.other", "4"), program: forever },
  { name: "an annotation for this container does", source: said("exit-code.main", "4"), program: { exitCode: 4 } },
  {
    name: "init containers succeed",
    source: { containerAnnotations: { [CONTAINER_TYPE_ANNOTATION]: "init" } },
    program: { runsMs: 0, exitCode: 0 },
  },
  { name: "a Job's container completes", source: { podLabels: { "batch.kubernetes.io/job-name": "j" } }, program: { runsMs: 1_000 } },
];

test.each(cases)("readProgram(): $name", ({ source, program }) => {
  const whole = { name: "main", argv: [], containerAnnotations: {}, podAnnotations: {}, podLabels: {}, ...source };
  expect(readProgram(whole)).toMatchObject(program);
});
