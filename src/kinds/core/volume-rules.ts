import type { DownwardAPIVolumeFile, KeyToPath, Volume, VolumeProjection, VolumeSource } from "#machinery/api/core-v1.ts";
import { duplicateField, type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { isDns1123Label, isDns1123Subdomain } from "#machinery/names.ts";
import { parseQuantity, quantitySign } from "#machinery/quantity.ts";
import { type Errors, follows, isMissing, optionalEnum, present, requiredName } from "../validation.ts";
import { validateClaimSpec } from "./claim-rules.ts";
import { PULL_POLICIES } from "./container-rules.ts";
import { validateFieldRef, validateResourceFieldRef } from "./field-ref.ts";
import { backsteps, localFilePath, type VolumeNames } from "./volume-mount-rules.ts";

const MODE_TEXT = "must be a number between 0 and 0777 (octal), both inclusive";
export const HOST_PATH_TYPES: readonly string[] = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];
const DOWNWARD_FIELDS: readonly string[] = [
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
];

/** Fields that must be there, of the sources that have no other rules. */
const REQUIRED_FIELDS: Readonly<Partial<Record<keyof VolumeSource, readonly string[]>>> = {
  gcePersistentDisk: ["pdName"],
  awsElasticBlockStore: ["volumeID"],
  gitRepo: ["repository"],
  nfs: ["server", "path"],
  iscsi: ["targetPortal", "iqn"],
  glusterfs: ["endpoints", "path"],
  rbd: ["monitors", "image"],
  flexVolume: ["driver"],
  cinder: ["volumeID"],
  cephfs: ["monitors"],
  azureFile: ["secretName", "shareName"],
  vsphereVolume: ["volumePath"],
  quobyte: ["registry", "volume"],
  azureDisk: ["diskName", "diskURI"],
  photonPersistentDisk: ["pdID"],
  portworxVolume: ["volumeID"],
  scaleIO: ["gateway", "system", "volumeName"],
  csi: ["driver"],
  persistentVolumeClaim: ["claimName"],
  secret: ["secretName"],
  configMap: ["name"],
};

export function volumeNamesOf(volumes: readonly Volume[]): VolumeNames {
  return new Map(
    volumes.map((volume) => [volume.name, { isClaim: volume.persistentVolumeClaim !== undefined || volume.ephemeral !== undefined }]),
  );
}

export function validateVolumes(volumes: readonly Volume[], path: string): Errors {
  const names = new Set<string>();
  return volumes.flatMap((volume, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [...validateVolumeSource(volume, at)];
    const nameErrors = requiredName(isDns1123Label, volume.name, `${at}.name`);
    errors.push(...nameErrors);
    if (nameErrors.length === 0 && names.has(volume.name)) errors.push(duplicateField(`${at}.name`, volume.name));
    names.add(volume.name);
    return errors;
  });
}

function validateVolumeSource({ name: _name, ...sources }: Volume, path: string): Errors {
  const given = Object.keys(sources).filter((type): type is keyof VolumeSource => sources[type as keyof VolumeSource] !== undefined);
  const [first, ...others] = given;
  if (first === undefined) return [requiredField(path, "must specify a volume type")];
  return [
    ...others.map((type) => forbiddenField(`${path}.${type}`, "may not specify more than 1 volume type")),
    ...requiredFields(sources, first, `${path}.${first}`),
    ...specificRules(sources, `${path}.${first}`),
  ];
}

function requiredFields(sources: VolumeSource, type: keyof VolumeSource, path: string): Errors {
  const source = sources[type] as Readonly<Record<string, unknown>> | undefined;
  return (REQUIRED_FIELDS[type] ?? []).flatMap((field) => {
    const value = source?.[field];
    const missing = value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
    return missing ? [requiredField(`${path}.${field}`)] : [];
  });
}

function specificRules(sources: VolumeSource, path: string): Errors {
  const { emptyDir, hostPath, configMap, secret, downwardAPI, projected, nfs, csi, ephemeral, image } = sources;
  if (emptyDir?.sizeLimit !== undefined && quantitySign(parseQuantity(emptyDir.sizeLimit)) < 0) {
    return [forbiddenField(`${path}.sizeLimit`, "SizeLimit field must be a valid resource quantity")];
  }
  if (hostPath !== undefined) return validateHostPath(hostPath, path);
  if (configMap !== undefined)
    return [...mode(configMap.defaultMode, `${path}.defaultMode`), ...keyToPaths(configMap.items ?? [], `${path}.items`)];
  if (secret !== undefined) return [...mode(secret.defaultMode, `${path}.defaultMode`), ...keyToPaths(secret.items ?? [], `${path}.items`)];
  if (downwardAPI !== undefined) {
    return [...mode(downwardAPI.defaultMode, `${path}.defaultMode`), ...downwardFiles(downwardAPI.items ?? [], path)];
  }
  if (projected !== undefined) {
    return [...mode(projected.defaultMode, `${path}.defaultMode`), ...validateProjections(projected.sources ?? [], `${path}.sources`)];
  }
  if (nfs !== undefined && !isMissing(nfs.path) && !nfs.path.startsWith("/")) {
    return [invalidField(`${path}.path`, nfs.path, "must be an absolute path")];
  }
  if (csi !== undefined && !isMissing(csi.driver)) return follows(isDns1123Subdomain, csi.driver.toLowerCase(), `${path}.driver`);
  if (ephemeral !== undefined) {
    if (ephemeral.volumeClaimTemplate === undefined) return [requiredField(`${path}.volumeClaimTemplate`)];
    return validateClaimSpec(ephemeral.volumeClaimTemplate.spec, `${path}.volumeClaimTemplate.spec`);
  }
  if (image !== undefined) {
    return [...present(image.reference, `${path}.reference`), ...optionalEnum(image.pullPolicy, PULL_POLICIES, `${path}.pullPolicy`)];
  }
  return [];
}

export function validateHostPath({ path, type }: { readonly path: string; readonly type?: string }, field: string): Errors {
  if (isMissing(path)) return [requiredField(`${field}.path`)];
  const errors: FieldError[] = backsteps(path) ? [invalidField(`${field}.path`, path, "must not contain '..'")] : [];
  return [...errors, ...optionalEnum(type, HOST_PATH_TYPES, `${field}.type`)];
}

function mode(value: number | undefined, path: string): Errors {
  return value === undefined || (value >= 0 && value <= 0o777) ? [] : [invalidField(path, value, MODE_TEXT)];
}

function keyToPaths(items: readonly KeyToPath[], path: string): Errors {
  return items.flatMap((item, index) => {
    const at = `${path}[${index}]`;
    return [
      ...present(item.key, `${at}.key`),
      ...(isMissing(item.path) ? [requiredField(`${at}.path`)] : localFilePath(item.path, `${at}.path`)),
      ...mode(item.mode, `${at}.mode`),
    ];
  });
}

/** Upstream's paths have no index here. */
function downwardFiles(items: readonly DownwardAPIVolumeFile[], path: string): Errors {
  return items.flatMap((item) => {
    const errors: FieldError[] = isMissing(item.path) ? [requiredField(`${path}.path`)] : [...localFilePath(item.path, `${path}.path`)];
    if (item.fieldRef !== undefined) {
      errors.push(...validateFieldRef(item.fieldRef, DOWNWARD_FIELDS, `${path}.fieldRef`));
      if (item.resourceFieldRef !== undefined) {
        errors.push(invalidField(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"));
      }
    } else if (item.resourceFieldRef !== undefined) {
      errors.push(...validateResourceFieldRef(item.resourceFieldRef, "named", `${path}.resourceFieldRef`));
    } else errors.push(requiredField(path, "one of fieldRef and resourceFieldRef is required"));
    return [...errors, ...mode(item.mode, `${path}.mode`)];
  });
}

function validateProjections(sources: readonly VolumeProjection[], path: string): Errors {
  const paths = new Set<string>();
  return sources.flatMap((source, index) => {
    const at = `${path}[${index}]`;
    const given = Object.entries(source).filter(([, value]) => value !== undefined);
    const errors: FieldError[] = given.slice(1).map(([type]) => forbiddenField(`${at}.${type}`, "may not specify more than 1 volume type"));
    if (given.length === 0) return [requiredField(at, "must specify a volume type")];
    const { secret, configMap, downwardAPI, serviceAccountToken } = source;
    for (const [type, projection] of Object.entries({ secret, configMap })) {
      if (projection === undefined) continue;
      errors.push(...present(projection.name, `${at}.${type}.name`), ...keyToPaths(projection.items ?? [], `${at}.${type}.items`));
      for (const { path: file } of projection.items ?? []) errors.push(...conflict(file, `${at}.${type}`));
    }
    if (downwardAPI !== undefined) {
      errors.push(...downwardFiles(downwardAPI.items ?? [], `${at}.downwardAPI`));
      for (const { path: file } of downwardAPI.items ?? []) errors.push(...conflict(file, `${at}.downwardAPI`));
    }
    if (serviceAccountToken !== undefined) {
      const { path: file, expirationSeconds = 3600 } = serviceAccountToken;
      const field = `${at}.serviceAccountToken`;
      errors.push(...conflict(file, field));
      if (expirationSeconds < 600) {
        errors.push(invalidField(`${field}.expirationSeconds`, expirationSeconds, "may not specify a duration less than 10 minutes"));
      }
      if (expirationSeconds > 2 ** 32) {
        errors.push(invalidField(`${field}.expirationSeconds`, expirationSeconds, "may not specify a duration larger than 2^32 seconds"));
      }
      errors.push(...(isMissing(file) ? [requiredField(`${field}.path`)] : localFilePath(file, `${field}.path`)));
    }
    return errors;
  });

  function conflict(file: string | undefined, field: string): Errors {
    if (isMissing(file)) return [];
    const taken = paths.has(file);
    paths.add(file);
    return taken ? [invalidField(field, file, "conflicting duplicate paths")] : [];
  }
}
