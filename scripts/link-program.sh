#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# link-program.sh PROGRAM FOLDER STAMP: make a built program appear in FOLDER as well.
set -eu
mkdir -p "$2"
ln -f "$1" "$2/"
touch "$3"
