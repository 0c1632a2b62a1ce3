#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""compare-libvirt.py: the same guest as libvirt's command line?

  compare-libvirt.py BUILD-FOLDER DEFINITION.xml ...

Needs virsh with the QEMU driver (no daemon is used).  What only the host sees is left out of the
comparison; every other option must be the same, devices in the same order.  Prints what differs;
exits 1 where anything did.  COMPARE_ROOT names a folder that libvirt may keep between runs.  Not part of the test suite, for it needs libvirt installed.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CAPS = os.path.join(HERE, '../data/driver/qemu-10.0.json')

# Options that the guest cannot see, or that are compared by what they lead to.
HOST_OPTIONS = {
    '-S', '-add-fd', '-audiodev', '-bios', '-blockdev', '-chardev', '-display', '-incoming', '-kernel',
    '-initrd', '-mon', '-msg', '-name', '-netdev', '-no-shutdown', '-no-user-config', '-nodefaults',
    '-overcommit', '-sandbox', '-vnc', '-k', '-watchdog-action', '-action', '-uuid'}
# Names of host-side things in devices.
HOST_PROPERTIES = {'drive', 'netdev', 'chardev', 'iothread', 'rng', 'audiodev', 'werror', 'rerror'}
# Newer libvirt sets the first; the second is for KVM's timer, which is not there with TCG.
SAME_ANYWAY = {'ICH9-LPC.noreboot=off', 'kvm-pit.lost_tick_policy=delay'}
ALIASES = {'ahci': 'ich9-ahci', 'lsi': 'lsi53c895a'}
# domxml-to-native replaces interfaces by plain taps and loses these on the way.
NET_PROPERTIES = {'mq', 'vectors', 'rx_queue_size', 'tx_queue_size', 'host_mtu', 'rombar', 'romfile',
                  'bootindex', 'mac'}


def libvirt_args(root, paths):
    """libvirt's argv for each path, None where it refuses.  One session: each start is slow."""
    commands = [f'echo @{path}; domxml-to-native qemu-argv --xml {path}' for path in paths]
    run = subprocess.run(
        ['virsh', '-q', '-c', f'qemu:///embed?root={root}', ';'.join(commands)],
        capture_output=True, text=True, check=False)
    answers = dict.fromkeys(paths)
    parts = re.split(r'@(/[^@\n]*\.xml)', run.stdout)[1:]
    for path, text in zip(parts[::2], parts[1::2]):
        words = shlex.split(text.replace('\\\n', ' '))
        start = [i for i, word in enumerate(words) if word.endswith('x86_64')]
        if start:
            answers[path] = words[start[0] + 1:]
    return answers


def our_args(build, path):
    run = subprocess.run([os.path.join(build, 'tests/driver/command-print'), CAPS, path],
                         capture_output=True, text=True, check=False)
    if run.returncode != 0:
        return None, run.stderr.strip()
    words = []
    for line in run.stdout.splitlines():
        if line.startswith('-'):
            words.extend(line.split(' ', 1))
    return words, None


def normal_device(device):
    device = {key: value for key, value in device.items() if key not in HOST_PROPERTIES}
    device['driver'] = ALIASES.get(device['driver'], device['driver'])
    if 'mac' in device:
        for key in NET_PROPERTIES:
            device.pop(key, None)
    return device


def normal(words):
    """(set of plain options, list of devices), as far as the guest sees them."""
    options, devices = set(), []
    i = 0
    while i < len(words):
        option = words[i]
        value = words[i + 1] if i + 1 < len(words) and not words[i + 1].startswith('-') else None
        i += 1 if value is None else 2
        if option in HOST_OPTIONS:
            continue
        if option == '-device':
            devices.append(normal_device(json.loads(value)) if value[0] == '{' else {'text': value})
        elif option == '-object':
            thing = json.loads(value)
            if thing['qom-type'].startswith('memory-backend'):
                options.add(f'ram {thing["id"]} {thing["size"]}')
        elif option == '-no-acpi':
            options.add('-machine … acpi=off')
        elif option == '-m' or value in SAME_ANYWAY:
            continue
        elif option in ('-machine', '-cpu', '-smp', '-rtc', '-boot'):
            head, *rest = value.split(',')
            rest = [re.sub(r'^(hv-crash)$', r'\1=on', item) for item in rest]
            options.add(f'{option} {head}')
            options.update(f'{option} … {item}' for item in rest)
        else:
            options.add(f'{option} {value}')
    return options, devices


def compare(theirs, build, path):
    ours, refusal = our_args(build, path)
    if theirs is None or ours is None:
        if (theirs is None) != (ours is None):
            print(f'{path}: libvirt {"refuses" if theirs is None else "does"}; we: {refusal or "do"}')
        return theirs is None or 'not supported' in (refusal or '')
    their_options, their_devices = normal(theirs)
    our_options, our_devices = normal(ours)
    lines = [f'  libvirt only: {item}' for item in sorted(their_options - our_options)]
    lines += [f'  ours only:    {item}' for item in sorted(our_options - their_options)]
    lines += [f'  libvirt only: {json.dumps(item)}' for item in their_devices if item not in our_devices]
    lines += [f'  ours only:    {json.dumps(item)}' for item in our_devices if item not in their_devices]
    if not lines and their_devices != our_devices:
        first = next(i for i, pair in enumerate(zip(their_devices, our_devices)) if pair[0] != pair[1])
        lines.append(f'  the order of devices differs: libvirt next has {their_devices[first]}')
    if lines:
        print(f'{path}:', *lines, sep='\n')
    return not lines


def main():
    build, *paths = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        root = os.environ.get('COMPARE_ROOT', temporary)
        os.makedirs(os.path.join(root, 'etc'), exist_ok=True)
        with open(os.path.join(root, 'etc/qemu.conf'), 'w', encoding='utf-8') as conf:
            conf.write('user = "root"\ngroup = "root"\nsecurity_driver = "none"\n')
        paths = [os.path.realpath(path) for path in paths]
        answers = libvirt_args(root, paths)
        same = [compare(answers[path], build, path) for path in paths]
    print(f'{sum(same)} of {len(same)} definitions give the same guest')
    sys.exit(0 if all(same) else 1)


if __name__ == '__main__':
    main()
