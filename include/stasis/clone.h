/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clone.h: several guests from one save image
 */

#pragma once

#include <gio/gio.h>
#include <stasis/driver.h>

G_BEGIN_DECLS

#pragma GCC visibility push(default)

#define STASIS_CLONES_MAX 256u /* of one call */

/**
 * StasisCloneRequest:
 * @path: (type filename): a save image of our own kind, whose memory lies in place
 * @name: the clone's name; of several, what stands in front of "-1", "-2" ...
 * @count: how many, 1 to %STASIS_CLONES_MAX
 * @xml: (nullable): a definition to use instead of the image's, of the same guest ABI
 * @flags: as of a restore; %STASIS_RESTORE_FORCE: although a disk has changed since the save
 *
 * What is to be cloned.
 */
typedef struct
{
  const char *path;
  const char *name;
  guint count;
  const char *xml;
  StasisRestoreFlags flags;
} StasisCloneRequest;

/**
 * StasisClones:
 * @domains: (element-type StasisDomain): in the order of their numbers
 * @warnings: what of each is not as it should be, for people
 *
 * What has come of it.
 */
typedef struct
{
  GPtrArray *domains;
  char **warnings;
} StasisClones;

void stasis_clones_free (StasisClones *self);

StasisClones *stasis_driver_clone (StasisDriver *self, const StasisCloneRequest *request,
                                   StasisProgressFunc progress, gpointer user_data,
                                   GCancellable *cancellable, GError **error);

/* (transfer full) (nullable): the name of the domain that it is a clone of, and in *@out_image
 * ((transfer full) (nullable) (optional)) the image.  NULL without an error: it is none, or does
 * not run. */
char *stasis_domain_get_clone_of (StasisDomain *self, char **out_image, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisClones, stasis_clones_free)

#pragma GCC visibility pop

G_END_DECLS
