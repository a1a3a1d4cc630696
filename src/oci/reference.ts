/** A name such as `kubia`, `kubia:v1`, `registry.k8s.io/pause:3.10`, completed as Docker and containerd do. */
export interface Reference {
  /** `docker.io/library/kubia` */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const PATH_PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const DOMAIN = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::\d+)?$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** The parts of an image name, or undefined where it is none. A name without tag and digest gets the tag `latest`. */
export function parseReference(name: string): Reference | undefined {
  const [beforeDigest = "", digest, ...rest] = name.split("@");
  if (rest.length > 0 || (digest !== undefined && !DIGEST.test(digest))) return undefined;
  const colon = beforeDigest.lastIndexOf(":");
  const hasTag = colon > beforeDigest.lastIndexOf("/");
  const tag = hasTag ? beforeDigest.slice(colon + 1) : digest === undefined ? "latest" : undefined;
  if (tag !== undefined && !TAG.test(tag)) return undefined;

  const parts = (hasTag ? beforeDigest.slice(0, colon) : beforeDigest).split("/");
  const first = parts[0] ?? "";
  const namesDomain = parts.length > 1 && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  const domain = namesDomain ? (first === "index.docker.io" ? "docker.io" : first) : "docker.io";
  const path = namesDomain ? parts.slice(1) : parts;
  if (!DOMAIN.test(domain) || path.length === 0 || !path.every((part) => PATH_PART.test(part))) return undefined;
  if (domain === "docker.io" && path.length === 1) path.unshift("library");
  return { repository: `${domain}/${path.join("/")}`, tag, digest };
}

export function formatReference({ repository, tag, digest }: Reference): string {
  return `${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}
