/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stasis.h: the public API of libstasis
 */

#pragma once

#include <stasis/clone.h>
#include <stasis/device.h>
#include <stasis/domain.h>
#include <stasis/driver.h>
#include <stasis/error.h>
#include <stasis/guests.h>
#include <stasis/handover.h>
#include <stasis/image.h>
#include <stasis/job.h>
#include <stasis/migrate-check.h>
#include <stasis/migrate-limits.h>
#include <stasis/migrate.h>
#include <stasis/save.h>
