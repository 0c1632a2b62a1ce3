#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# dev-clean.sh: remove what the other words made in this folder
set -eu

cd "$(dirname "$0")/.."
rm -rf build build-coverage build-asan build-bench build-fuzz
