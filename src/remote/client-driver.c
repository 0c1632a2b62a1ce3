/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-driver.c: the domains on a server: finding, defining and creating them, clones
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "remote/call.h"
#include "remote/client-look.h"
#include "remote/client-ops.h"
#include "util/json.h"

#define REMOTE STASIS_PROGRAM_REMOTE
#define OWN    STASIS_PROGRAM_OWN

#define CREATE_PAUSED 0x1u

/* Ours and libvirt's. */
static const StasisFlagPair list_flags[] = {
  { 0x1, STASIS_LIST_ACTIVE },         { 0x2, STASIS_LIST_INACTIVE },
  { 0x4, STASIS_LIST_PERSISTENT },     { 0x8, STASIS_LIST_TRANSIENT },
  { 0x100, STASIS_LIST_MANAGED_SAVE }, { 0x200, STASIS_LIST_NO_MANAGED_SAVE },
  { 0x400, STASIS_LIST_AUTOSTART },    { 0x800, STASIS_LIST_NO_AUTOSTART },
};

/* (transfer full) (element-type StasisDomain) */
static GPtrArray *
take_domains (StasisDriver *self, const GPtrArray *wire, GError **error)
{
  g_autoptr (GPtrArray) domains = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < wire->len; i++)
    {
      StasisDomain *domain = stasis_client_domain (self, g_ptr_array_index (wire, i), error);
      if (domain == NULL)
        return NULL;
      g_ptr_array_add (domains, domain);
    }
  return g_steal_pointer (&domains);
}

/* As an embedded driver lists them: those that run by id, then the others by name. */
static int
compare (gconstpointer a, gconstpointer b)
{
  const StasisWireDomain *x = *(const StasisWireDomain *const *) a;
  const StasisWireDomain *y = *(const StasisWireDomain *const *) b;
  if ((x->id < 0) != (y->id < 0))
    return x->id < 0 ? 1 : -1;
  if (x->id < 0)
    return strcmp (x->name, y->name);
  return (x->id > y->id) - (x->id < y->id);
}

/* With what is shown of each. */
static GPtrArray *
list_with_looks (StasisDriver *self, StasisListFlags flags, GError **error)
{
  const StasisWireValue args[] = { { .u = flags } };
  StasisWireValue rets[1];
  if (!stasis_client_call (stasis_client_of_driver (self), OWN, "list-domains", args, rets, error))
    return NULL;
  g_autoptr (GPtrArray) domains = g_ptr_array_new_with_free_func (g_object_unref);
  gboolean ok = TRUE;
  for (guint i = 0; ok && i < rets[0].items->len; i++)
    {
      const StasisWireRecord *record = g_ptr_array_index (rets[0].items, i);
      StasisDomain *domain = stasis_client_domain (self, record->domain, error);
      ok = domain != NULL;
      if (ok)
        {
          stasis_client_look_keep (domain, record);
          g_ptr_array_add (domains, domain);
        }
    }
  stasis_client_clear (OWN, "list-domains", rets);
  return ok ? g_steal_pointer (&domains) : NULL;
}

static GPtrArray *
list (StasisDriver *self, StasisListFlags flags, GError **error)
{
  static const char name[] = "connect-list-all-domains";
  if (stasis_client_is_own (stasis_client_of_driver (self)))
    return list_with_looks (self, flags, error);
  guint32 theirs = 0;
  for (guint i = 0; i < G_N_ELEMENTS (list_flags); i++)
    theirs |= (flags & list_flags[i].ours) != 0 ? list_flags[i].theirs : 0;
  const StasisWireValue args[] = { { .i = 1 }, { .u = theirs } };
  StasisWireValue rets[2];
  if (!stasis_client_call (stasis_client_of_driver (self), REMOTE, name, args, rets, error))
    return NULL;
  g_ptr_array_sort (rets[0].items, compare);
  GPtrArray *domains = take_domains (self, rets[0].items, error);
  stasis_client_clear (REMOTE, name, rets);
  return domains;
}

static StasisDomain *
throw_no_domain (GError *local_take, const char *what, const char *key, GError **error)
{
  g_autoptr (GError) local = local_take;
  if (g_error_matches (local, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN))
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN, _ ("no domain with %1$s '%2$s'"),
                 what, key);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

static StasisDomain *
lookup_by_name (StasisDriver *self, const char *name, GError **error)
{
  const StasisWireValue args[] = { { .s = (char *) name } };
  GError *local = NULL;
  StasisDomain *domain
      = stasis_client_call_for_domain (self, REMOTE, "domain-lookup-by-name", args, NULL, &local);
  return domain != NULL ? domain : throw_no_domain (local, _ ("name"), name, error);
}

static StasisDomain *
lookup_by_uuid (StasisDriver *self, const char *uuid, GError **error)
{
  StasisWireValue args[1] = { { 0 } };
  GError *local = NULL;
  StasisDomain *domain = NULL;
  if (stasis_uuid_parse (uuid, args[0].uuid, NULL))
    domain
        = stasis_client_call_for_domain (self, REMOTE, "domain-lookup-by-uuid", args, NULL, &local);
  else
    local = g_error_new_literal (STASIS_ERROR, STASIS_ERROR_NO_DOMAIN, "");
  return domain != NULL ? domain : throw_no_domain (local, _ ("uuid"), uuid, error);
}

static StasisDomain *
lookup_by_id (StasisDriver *self, int id, GError **error)
{
  const StasisWireValue args[] = { { .i = id } };
  GError *local = NULL;
  StasisDomain *domain
      = stasis_client_call_for_domain (self, REMOTE, "domain-lookup-by-id", args, NULL, &local);
  g_autofree char *text = g_strdup_printf ("%d", id);
  return domain != NULL ? domain : throw_no_domain (local, _ ("id"), text, error);
}

static StasisDomain *
define (StasisDriver *self, const char *xml, const char *source_name, GError **error)
{
  const StasisWireValue args[] = { { .s = (char *) xml }, { .s = (char *) source_name } };
  if (stasis_client_is_own (stasis_client_of_driver (self)))
    return stasis_client_call_for_domain (self, OWN, "define", args, NULL, error);
  return stasis_client_call_for_domain (self, REMOTE, "domain-define-xml", args, NULL, error);
}

static StasisDomain *
create (StasisDriver *self, const char *xml, const char *source_name, StasisStartFlags flags,
        GCancellable *cancellable, GError **error)
{
  const StasisClientJob job = { .cancellable = cancellable };
  const StasisWireValue args[]
      = { { .s = (char *) xml }, { .s = (char *) source_name }, { .u = flags } };
  if (stasis_client_is_own (stasis_client_of_driver (self)))
    return stasis_client_call_for_domain (self, OWN, "create", args, &job, error);
  const guint32 theirs = (flags & STASIS_START_PAUSED) != 0 ? CREATE_PAUSED : 0;
  const StasisWireValue plain[] = { { .s = (char *) xml }, { .u = theirs } };
  return stasis_client_call_for_domain (self, REMOTE, "domain-create-xml", plain, &job, error);
}

static char *
get_capabilities (StasisDriver *self, GError **error)
{
  StasisWireValue rets[1];
  return stasis_client_call (stasis_client_of_driver (self), REMOTE, "connect-get-capabilities",
                             NULL, rets, error)
             ? rets[0].s
             : NULL;
}

static char *
get_qemu_version (StasisDriver *self, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  StasisWireValue rets[1];
  if (stasis_client_is_own (client))
    return stasis_client_call (client, OWN, "get-qemu-version", NULL, rets, error) ? rets[0].s
                                                                                   : NULL;
  if (!stasis_client_call (client, REMOTE, "connect-get-version", NULL, rets, error))
    return NULL;
  return g_strdup_printf ("%u.%u.%u", (guint) (rets[0].ul / 1000000),
                          (guint) (rets[0].ul / 1000 % 1000), (guint) (rets[0].ul % 1000));
}

static gboolean
refuse (StasisDriver *self, const char *what, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("%1$s is not possible through '%2$s', only on its host"), what,
               stasis_driver_get_uri (self));
  return FALSE;
}

static StasisClones *
clone_image (StasisDriver *self, const StasisCloneRequest *request, StasisProgressFunc progress,
             gpointer user_data, GCancellable *cancellable, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  const StasisClientJob job
      = { .progress = progress, .user_data = user_data, .cancellable = cancellable };
  const StasisWireValue args[] = {
    { .s = (char *) request->path }, { .s = (char *) request->name }, { .u = request->count },
    { .s = (char *) request->xml },  { .u = request->flags },
  };
  StasisWireValue rets[2];
  if (!stasis_client_need_own (client, _ ("a clone"), error)
      || !stasis_client_call_job (client, OWN, "clone", args, rets, &job, error))
    return NULL;
  GPtrArray *domains = take_domains (self, rets[0].items, error);
  StasisClones *clones = domains != NULL ? g_new0 (StasisClones, 1) : NULL;
  if (clones != NULL)
    {
      g_autoptr (GStrvBuilder) warnings = g_strv_builder_new ();
      for (guint i = 0; i < rets[1].items->len; i++)
        g_strv_builder_add (warnings, g_ptr_array_index (rets[1].items, i));
      clones->domains = domains;
      clones->warnings = g_strv_builder_end (warnings);
    }
  stasis_client_clear (OWN, "clone", rets);
  return clones;
}

static StasisClonesImage
parse_clones_image (const char *word)
{
  for (StasisClonesImage i = STASIS_CLONES_IMAGE_THERE; i < STASIS_CLONES_IMAGE_UNKNOWN; i++)
    if (g_str_equal (word, stasis_clones_image_to_string (i)))
      return i;
  return STASIS_CLONES_IMAGE_UNKNOWN;
}

static void
free_saved (gpointer data)
{
  stasis_clones_saved_free (data);
}

static GPtrArray *
parse_saved_clones (const StasisJson *array)
{
  GPtrArray *all = g_ptr_array_new_with_free_func (free_saved);
  for (guint i = 0; i < stasis_json_array_length (array); i++)
    {
      const StasisJson *object = stasis_json_array_get (array, i);
      StasisClonesSaved *saved = g_new0 (StasisClonesSaved, 1);
      saved->uuid = g_strdup (stasis_json_string (stasis_json_get (object, "uuid"), ""));
      saved->name = g_strdup (stasis_json_string (stasis_json_get (object, "name"), NULL));
      saved->folder = g_strdup (stasis_json_string (stasis_json_get (object, "folder"), ""));
      saved->path = g_strdup (stasis_json_string (stasis_json_get (object, "path"), NULL));
      saved->image
          = parse_clones_image (stasis_json_string (stasis_json_get (object, "image"), ""));
      saved->octets = stasis_json_uint (stasis_json_get (object, "octets"), 0);
      g_ptr_array_add (all, saved);
    }
  return all;
}

static GPtrArray *
list_saved_clones (StasisDriver *self, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  StasisWireValue rets[1];
  if (!stasis_client_need_own (client, _ ("a list of saved clones"), error)
      || !stasis_client_call (client, OWN, "list-saved-clones", NULL, rets, error))
    return NULL;
  g_autoptr (StasisJson) json = stasis_json_parse (rets[0].s, -1, error);
  stasis_client_clear (OWN, "list-saved-clones", rets);
  return json != NULL ? parse_saved_clones (json) : NULL;
}

static gboolean
drop_saved_clone (StasisDriver *self, const char *uuid, gboolean force, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  const StasisWireValue args[] = { { .s = (char *) uuid }, { .i = force ? 1 : 0 } };
  return stasis_client_need_own (client, _ ("dropping a saved clone"), error)
         && stasis_client_call (client, OWN, "drop-saved-clone", args, NULL, error);
}

/* The domains on a server. */
void
stasis_client_fill_driver (StasisDriverOps *ops)
{
  ops->list = list;
  ops->lookup_by_name = lookup_by_name;
  ops->lookup_by_uuid = lookup_by_uuid;
  ops->lookup_by_id = lookup_by_id;
  ops->define = define;
  ops->create = create;
  ops->get_capabilities = get_capabilities;
  ops->get_qemu_version = get_qemu_version;
  ops->refuse = refuse;
  ops->clone = clone_image;
  ops->list_saved_clones = list_saved_clones;
  ops->drop_saved_clone = drop_saved_clone;
}
