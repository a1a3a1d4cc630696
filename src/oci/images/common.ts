import type { ImageFile } from "../spec.ts";

export interface Account {
  readonly name: string;
  /** Of the user and of the group of the same name. */
  readonly id: number;
  readonly home: string;
}

/** What the C library wants to look up names, users and times: without these, programs resolve nothing and whoami fails. */
export function baseFiles(accounts: readonly Account[] = []): readonly ImageFile[] {
  const users = accounts.map(({ name, id, home }) => `${name}:x:${id}:${id}:${name}:${home}:/usr/sbin/nologin\n`).join("");
  const groups = accounts.map(({ name, id }) => `${name}:x:${id}:\n`).join("");
  return [
    {
      kind: "content",
      path: "/etc/passwd",
      content: `root:x:0:0:root:/root:/bin/sh\n${users}nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n`,
    },
    { kind: "content", path: "/etc/group", content: `root:x:0:\ntty:x:5:\n${groups}nogroup:x:65534:\n` },
    { kind: "content", path: "/etc/nsswitch.conf", content: "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n" },
    { kind: "directory", path: "/root", mode: 0o700 },
    { kind: "directory", path: "/tmp", mode: 0o1777 },
    { kind: "directory", path: "/var/tmp", mode: 0o1777 },
    { kind: "directory", path: "/run" },
  ];
}

/** Everyday commands, all answered by busybox. */
export const shellApplets: readonly string[] = `
[ [[ ar arp arping ascii ash awk base64 basename bc bzip2 cal cat chgrp chmod chown chroot clear cmp cp cpio cut date dd
df diff dirname dmesg dnsdomainname du echo ed egrep env expand expr factor fallocate false fgrep find fold free 
getopt grep groups gunzip gzip head hexdump hostid hostname httpd id ifconfig ip ipcalc kill killall 
less link ln logger logname ls md5sum mkdir mkfifo mknod mktemp more mount mv nc netstat nl nologin nproc
nslookup od paste patch pidof ping ping6 printf ps pwd readlink realpath renice reset rev rm rmdir
route sed seq setsid sh sha1sum sha256sum sha512sum shuf sleep sort stat strings stty su sync sysctl tac tail tar tee
telnet test tftp time timeout top touch tr traceroute traceroute6 true truncate tty umount uname uniq unlink unshare unzip uptime
usleep vi watch wc wget which who whoami xargs xxd yes zcat
`
  .trim()
  .split(/\s+/);
