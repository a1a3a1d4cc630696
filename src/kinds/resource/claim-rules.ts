import type { DeviceClaim, DeviceRequest, DeviceSelector, ExactDeviceRequest, ResourceClaimSpec } from "#machinery/api/resource-v1.ts";
import { duplicateField, type FieldError, invalidField, requiredField, tooManyField } from "#machinery/field-error.ts";
import { isDns1123Label, isDns1123Subdomain } from "#machinery/names.ts";
import { type Errors, isMissing, optionalEnum, requiredName } from "../validation.ts";

const MAX_REQUESTS = 32;
const MAX_SELECTORS = 32;
const MODES: readonly string[] = ["All", "ExactCount"];

/** One device, unless said otherwise. */
export function defaultClaim(spec: ResourceClaimSpec): ResourceClaimSpec {
  if (spec.devices?.requests === undefined) return spec;
  return { ...spec, devices: { ...spec.devices, requests: spec.devices.requests.map(defaultRequest) } };
}

function defaultRequest(request: DeviceRequest): DeviceRequest {
  return {
    ...request,
    ...(request.exactly === undefined ? {} : { exactly: withMode(request.exactly) }),
    ...(request.firstAvailable === undefined ? {} : { firstAvailable: request.firstAvailable.map(withMode) }),
  };
}

function withMode<R extends { readonly allocationMode?: string; readonly count?: number }>(request: R): R {
  const allocationMode = request.allocationMode || "ExactCount";
  return { ...request, allocationMode, ...(allocationMode === "ExactCount" ? { count: request.count || 1 } : {}) };
}

export function validateClaimSpec({ devices = {} }: ResourceClaimSpec, path: string): Errors {
  return validateDevices(devices, `${path}.devices`);
}

function validateDevices({ requests = [], constraints = [], config = [] }: DeviceClaim, path: string): Errors {
  const errors: FieldError[] = [];
  if (requests.length > MAX_REQUESTS) errors.push(tooManyField(`${path}.requests`, requests.length, MAX_REQUESTS));
  const names = new Set<string>();
  for (const [i, request] of requests.entries()) {
    const at = `${path}.requests[${i}]`;
    errors.push(...validateRequest(request, at));
    if (!isMissing(request.name) && names.has(request.name)) errors.push(duplicateField(`${at}.name`, request.name));
    names.add(request.name);
    for (const { name } of request.firstAvailable ?? []) names.add(`${request.name}/${name}`);
  }
  const known = (list: readonly string[], at: string) => {
    for (const [i, name] of list.entries()) {
      if (!names.has(name))
        errors.push(
          invalidField(
            `${at}[${i}]`,
            name,
            "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
          ),
        );
    }
  };
  for (const [i, { requests: about = [], matchAttribute, distinctAttribute }] of constraints.entries()) {
    known(about, `${path}.constraints[${i}].requests`);
    if (matchAttribute === undefined && distinctAttribute === undefined) {
      errors.push(requiredField(`${path}.constraints[${i}]`, "exactly one of `matchAttribute` or `distinctAttribute` is required"));
    }
  }
  for (const [i, { requests: about = [], opaque }] of config.entries()) {
    known(about, `${path}.config[${i}].requests`);
    if (opaque === undefined) errors.push(requiredField(`${path}.config[${i}].opaque`));
    else errors.push(...requiredName(isDns1123Subdomain, opaque.driver, `${path}.config[${i}].opaque.driver`));
  }
  return errors;
}

function validateRequest({ name, exactly, firstAvailable = [] }: DeviceRequest, path: string): Errors {
  const errors: FieldError[] = [...requiredName(isDns1123Label, name, `${path}.name`)];
  if (exactly === undefined && firstAvailable.length === 0) {
    return [...errors, requiredField(path, "exactly one of `exactly` or `firstAvailable` is required")];
  }
  if (exactly !== undefined && firstAvailable.length > 0) {
    errors.push(invalidField(path, null, "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"));
  }
  if (exactly !== undefined) errors.push(...validateExact(exactly, `${path}.exactly`));
  for (const [i, one] of firstAvailable.entries()) {
    errors.push(
      ...requiredName(isDns1123Label, one.name, `${path}.firstAvailable[${i}].name`),
      ...validateExact(one, `${path}.firstAvailable[${i}]`),
    );
  }
  return errors;
}

function validateExact(
  request: Pick<ExactDeviceRequest, "deviceClassName" | "selectors" | "allocationMode" | "count">,
  path: string,
): Errors {
  const { allocationMode, count } = request;
  const errors: FieldError[] = [
    ...requiredName(isDns1123Subdomain, request.deviceClassName, `${path}.deviceClassName`),
    ...validateSelectors(request.selectors ?? [], `${path}.selectors`),
    ...optionalEnum(allocationMode ?? "", MODES, `${path}.allocationMode`),
  ];
  if (allocationMode === "ExactCount" && (count ?? 0) <= 0)
    errors.push(invalidField(`${path}.count`, count ?? 0, "must be greater than zero"));
  if (allocationMode === "All" && (count ?? 0) !== 0) {
    errors.push(invalidField(`${path}.count`, count, "must not be specified when allocationMode is 'All'"));
  }
  return errors;
}

export function validateSelectors(selectors: readonly DeviceSelector[], path: string): Errors {
  if (selectors.length > MAX_SELECTORS) return [tooManyField(path, selectors.length, MAX_SELECTORS)];
  return selectors.flatMap(({ cel }, i) => {
    if (cel === undefined) return [requiredField(`${path}[${i}].cel`)];
    return isMissing(cel.expression) ? [requiredField(`${path}[${i}].cel.expression`)] : [];
  });
}
