import type { CertificateSigningRequest } from "#machinery/api/certificates-v1.ts";
import type { KubeObject } from "#machinery/object.ts";
import type { AdmissionPlugin } from "./admission.ts";

/** A request for a certificate says who made it: the server, not the client, writes that down. */
export const csrIdentity: AdmissionPlugin = {
  name: "CertificateRequestIdentity",
  admit({ kind, operation, subresource, object, user }) {
    if (kind.kind !== "CertificateSigningRequest" || operation !== "CREATE" || subresource !== "") return Promise.resolve(object);
    const request = object as CertificateSigningRequest;
    const { username: _name, uid: _uid, groups: _groups, extra: _extra, ...spec } = request.spec;
    const { name: username, uid, groups, extra } = user;
    const identity = {
      username,
      ...(uid === undefined || uid === "" ? {} : { uid }),
      groups,
      ...(extra === undefined || Object.keys(extra).length === 0 ? {} : { extra }),
    };
    return Promise.resolve({ ...request, spec: { ...spec, ...identity } } as KubeObject);
  },
};
