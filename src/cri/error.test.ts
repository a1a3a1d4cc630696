import { expect, test } from "vitest";
import { CriError, classifyCriError, formatRpcError, isCriError } from "./error.ts";
import { lookupMethod } from "./messages.ts";

const failure = (code: number, details: string) => Object.assign(new Error(`${code}: ${details}`), { code, details });

test("classifyCriError() reads gRPC's codes and the runtime's own words", () => {
  const codes = [1, 2, 3, 4, 5, 6, 8, 9, 12, 14, 99].map((code) => classifyCriError(failure(code, "why"), "Version").code);
  expect(codes).toEqual([
    "Cancelled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "ResourceExhausted",
    "FailedPrecondition",
    "Unimplemented",
    "Unavailable",
    "Unknown",
  ]);
  const error = classifyCriError(failure(5, 'container "x": not found'), "ContainerStatus");
  expect(error.message).toBe('Cannot call ContainerStatus of the container runtime: NotFound: container "x": not found');
  expect(formatRpcError(error)).toBe('rpc error: code = NotFound desc = container "x": not found');
  expect(classifyCriError(error, "Other")).toBe(error);
  expect(isCriError(error, "NotFound", "Unknown")).toBe(true);
  expect(isCriError(new Error("x"), "NotFound")).toBe(false);
});

test("formatRpcError() spells Canceled as Go does", () => {
  expect(formatRpcError(new CriError({ code: "Cancelled", call: "Version", details: "x" }))).toBe("rpc error: code = Canceled desc = x");
});

test("lookupMethod() fills in what an answer leaves out, and turns nanoseconds into milliseconds", () => {
  const { path, decode } = lookupMethod("RuntimeService", "ContainerStatus");
  expect(path).toBe("/runtime.v1.RuntimeService/ContainerStatus");
  // status (1) { id (1): "c", state (3): EXITED, created_at (4): 1.5 s }
  const status = Buffer.from([0x0a, 1, 0x63, 0x18, 2, 0x20, 0x80, 0xde, 0xa0, 0xcb, 0x05]);
  expect(decode(Buffer.concat([Buffer.from([0x0a, status.length]), status]))).toMatchObject({
    status: { id: "c", state: "CONTAINER_EXITED", createdAt: 1_500, finishedAt: 0, exitCode: 0, labels: {}, mounts: [], logPath: "" },
    info: {},
  });
});

test("lookupMethod() refuses fields that the API does not have", () => {
  const { encode } = lookupMethod("RuntimeService", "Version");
  expect(encode({ version: "v" })).toEqual(Buffer.from([0x0a, 1, 0x76]));
  expect(() => encode({ versoin: "v" })).toThrow("VersionRequest has no field versoin");
});
