import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { createCa } from "./certificate.ts";
import { createSigningRequest, readSigningRequest, signRequest } from "./csr.ts";
import { createKey } from "./key.ts";

const now = Date.parse("2030-01-01T00:00:00Z");

test("signRequest() makes a certificate over the request's key, subject and names", async () => {
  const ca = await createCa({ cn: "ca", days: 10, now });
  const key = await createKey();
  const pem = await createSigningRequest({ key, cn: "system:node:n1", orgs: ["system:nodes"], sans: ["n1", "192.168.0.2"] });

  const made = new X509Certificate(await signRequest({ ca, pem, usages: ["server"], seconds: 3600, now }));

  expect(made.subject).toBe("O=system:nodes\nCN=system:node:n1");
  expect(made.subjectAltName).toBe("DNS:n1, IP Address:192.168.0.2");
  expect(made.checkPrivateKey(key.privateKey)).toBe(true);
  expect(made.verify(new X509Certificate(ca.certPem).publicKey)).toBe(true);
  expect(Date.parse(made.validTo)).toBe(now + 3_600_000);
});

test("readSigningRequest() tells what is asked", async () => {
  const pem = await createSigningRequest({
    key: await createKey(),
    cn: "system:node:n1",
    orgs: ["system:nodes"],
    sans: ["n1", "192.168.0.2"],
  });
  expect(readSigningRequest(pem)).toEqual({
    cn: "system:node:n1",
    orgs: ["system:nodes"],
    dnsNames: ["n1"],
    ipAddresses: ["192.168.0.2"],
    emailAddresses: [],
    uris: [],
  });
});

test.each([
  { name: "no PEM", pem: "hello" },
  { name: "damaged PEM", pem: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n" },
])("readSigningRequest() gives undefined for $name", ({ pem }) => {
  expect(readSigningRequest(pem)).toBeUndefined();
});
