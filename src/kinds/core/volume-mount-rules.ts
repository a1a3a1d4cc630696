import type { Container, VolumeMount } from "#machinery/api/core-v1.ts";
import { type FieldError, forbiddenField, invalidField, notFoundField, requiredField } from "#machinery/field-error.ts";
import { type Errors, isMissing, optionalEnum } from "../validation.ts";

/** Volumes of a pod: name -> whether it is a claim (which alone may be a block device). */
export type VolumeNames = ReadonlyMap<string, { readonly isClaim: boolean }>;

export function validateVolumeMounts(container: Container, volumes: VolumeNames, path: string): Errors {
  const paths = new Set<string>();
  const devices = new Set((container.volumeDevices ?? []).map(({ devicePath }) => devicePath));
  const deviceNames = new Set((container.volumeDevices ?? []).map(({ name }) => name));
  return (container.volumeMounts ?? []).flatMap((mount, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [];
    if (isMissing(mount.name)) errors.push(requiredField(`${at}.name`));
    else if (!volumes.has(mount.name)) errors.push(notFoundField(`${at}.name`, mount.name));
    if (isMissing(mount.mountPath)) errors.push(requiredField(`${at}.mountPath`));
    if (paths.has(mount.mountPath)) errors.push(invalidField(`${at}.mountPath`, mount.mountPath, "must be unique"));
    paths.add(mount.mountPath);
    if (deviceNames.has(mount.name)) errors.push(invalidField(`${at}.name`, mount.name, "must not already exist in volumeDevices"));
    if (devices.has(mount.mountPath)) {
      errors.push(invalidField(`${at}.mountPath`, mount.mountPath, "must not already exist as a path in volumeDevices"));
    }
    return [...errors, ...validateSubPaths(mount, at), ...validatePropagation(mount, container, at)];
  });
}

function validateSubPaths({ subPath, subPathExpr }: VolumeMount, path: string): Errors {
  const errors: FieldError[] = [];
  if (!isMissing(subPath)) errors.push(...localPath(subPath, `${path}.subPath`));
  if (!isMissing(subPathExpr)) {
    if (!isMissing(subPath)) {
      errors.push(invalidField(`${path}.subPathExpr`, subPathExpr, "subPathExpr and subPath are mutually exclusive"));
    }
    errors.push(...localPath(subPathExpr, `${path}.subPathExpr`));
  }
  return errors;
}

function validatePropagation(mount: VolumeMount, container: Container, path: string): Errors {
  const errors: FieldError[] = [
    ...optionalEnum(mount.mountPropagation, ["Bidirectional", "HostToContainer", "None"], `${path}.mountPropagation`),
  ];
  if (mount.mountPropagation === "Bidirectional" && container.securityContext?.privileged !== true) {
    const message = "Bidirectional mount propagation is available only to privileged containers";
    errors.push(forbiddenField(`${path}.mountPropagation`, message));
  }
  const { recursiveReadOnly } = mount;
  if (recursiveReadOnly === undefined) return errors;
  const at = `${path}.recursiveReadOnly`;
  errors.push(...optionalEnum(recursiveReadOnly, ["Disabled", "Enabled", "IfPossible"], at));
  if (recursiveReadOnly !== "Disabled" && mount.readOnly !== true) {
    errors.push(forbiddenField(at, "may only be specified when readOnly is true"));
  }
  return errors;
}

export function validateVolumeDevices(container: Container, volumes: VolumeNames, path: string): Errors {
  const paths = new Set<string>();
  const names = new Set<string>();
  return (container.volumeDevices ?? []).flatMap(({ name, devicePath }, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [];
    const volume = volumes.get(name);
    if (isMissing(name)) errors.push(requiredField(`${at}.name`));
    else if (names.has(name)) errors.push(invalidField(`${at}.name`, name, "must be unique"));
    else if (volume === undefined) errors.push(notFoundField(`${at}.name`, name));
    else if (!volume.isClaim) {
      const message = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
      errors.push(invalidField(`${at}.name`, name, message));
    }
    if (isMissing(devicePath)) errors.push(requiredField(`${at}.devicePath`));
    else if (paths.has(devicePath)) errors.push(invalidField(`${at}.devicePath`, devicePath, "must be unique"));
    if (backsteps(devicePath ?? "")) errors.push(invalidField(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')"));
    names.add(name);
    paths.add(devicePath);
    return errors;
  });
}

/** A path inside a volume: relative and never leading out of it. */
export function localPath(path: string, field: string): Errors {
  const errors: FieldError[] = [];
  if (path.startsWith("/")) errors.push(invalidField(field, path, "must be a relative path"));
  return backsteps(path) ? [...errors, invalidField(field, path, "must not contain '..'")] : errors;
}

/** Of a file that a volume holds: not starting with `..` either, which the volume's own machinery uses. */
export function localFilePath(path: string, field: string): Errors {
  const errors = localPath(path, field);
  const hidden = path.startsWith("..") && !path.startsWith("../") && path !== "..";
  return hidden ? [...errors, invalidField(field, path, "must not start with '..'")] : errors;
}

export function backsteps(path: string): boolean {
  return path.split("/").includes("..");
}
