#!/usr/bin/env bash
# Makes a minimal Debian root file system a host for containers: quiet boot, ssh by key, a user "deploy" with user units.
set -euo pipefail
install -m 0755 /tmp/image/host-init /sbin/host-init

systemctl set-default multi-user.target
systemctl mask \
  systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
  getty.target console-getty.service getty@.service systemd-firstboot.service systemd-networkd-wait-online.service \
  systemd-modules-load.service sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount dev-hugepages.mount \
  dev-mqueue.mount sys-fs-fuse-connections.mount systemd-ask-password-console.path systemd-ask-password-wall.path \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer systemd-tmpfiles-clean.timer
systemctl enable ssh.service

install -d -m 0755 /etc/systemd/journald.conf.d /etc/systemd/system.conf.d
printf '[Journal]\nStorage=persistent\nSystemMaxUse=32M\nForwardToSyslog=no\n' >/etc/systemd/journald.conf.d/testbed.conf
printf '[Manager]\nDefaultTimeoutStartSec=20s\nDefaultTimeoutStopSec=10s\n' >/etc/systemd/system.conf.d/testbed.conf
{
  printf 'HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n'
  printf 'UseDNS no\nMaxSessions 100\nMaxStartups 100\n'
} >/etc/ssh/sshd_config.d/testbed.conf
rm -f /etc/ssh/ssh_host_*

useradd --create-home --shell /bin/bash deploy
install -d -m 0755 /var/lib/systemd/linger
: >/var/lib/systemd/linger/deploy # its user manager starts at boot: user units work
echo 'deploy ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/deploy
chmod 0440 /etc/sudoers.d/deploy

: >/etc/machine-id
rm -f /var/lib/dbus/machine-id
