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

/**
 * StasisClonesImage:
 * @STASIS_CLONES_IMAGE_THERE: it is where it was, or what lies there cannot be looked at
 * @STASIS_CLONES_IMAGE_MISSING: nothing is there: it was removed, or moved
 * @STASIS_CLONES_IMAGE_REPLACED: something else is there
 * @STASIS_CLONES_IMAGE_UNKNOWN: it went into a pipe
 *
 * What has become of the image of a clone that was saved.
 */
typedef enum
{
  STASIS_CLONES_IMAGE_THERE,
  STASIS_CLONES_IMAGE_MISSING,
  STASIS_CLONES_IMAGE_REPLACED,
  STASIS_CLONES_IMAGE_UNKNOWN,
} StasisClonesImage;

/* The word for it: "there", "missing", "replaced", "unknown". */
const char *stasis_clones_image_to_string (StasisClonesImage image);

/**
 * StasisClonesSaved:
 * @uuid: of the clone
 * @name: (nullable): of the clone
 * @folder: where its disks are
 * @path: (nullable): where its image was
 * @image: what has become of that
 * @octets: what the disks take
 *
 * The disks of a clone that was saved, and does not run.
 */
typedef struct
{
  char *uuid;
  char *name;
  char *folder;
  char *path;
  StasisClonesImage image;
  guint64 octets;
} StasisClonesSaved;

/* (element-type StasisClonesSaved) (transfer full): by name. */
GPtrArray *stasis_driver_list_saved_clones (StasisDriver *self, GError **error);

/* Remove the disks of a clone that was saved: its image cannot be restored after that.  @force:
 * although the image is there, or not known.  %STASIS_ERROR_REFUSED: it is, and in any case where
 * other disks rest on these. */
gboolean stasis_driver_drop_saved_clone (StasisDriver *self, const char *uuid, gboolean force,
                                         GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisClones, stasis_clones_free)

#pragma GCC visibility pop

G_END_DECLS
