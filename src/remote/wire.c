/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.c: arguments and results to octets and back, by their layout
 */

#include "config.h"

#include "remote/wire.h"

#include <string.h>

#define PARAMS_MAX      64u
#define STATS_MAX       262144u
#define NUMBERS_MAX     16384u
#define STRINGS_MAX     16384u
#define CHARACTERS_MAX  4097u
#define CHARACTERS_FEW  32u
#define ROWS_MAX        16384u
#define DOMAIN_SIZE_MIN (4u + STASIS_UUID_SIZE + 4u)
#define PARAM_SIZE_MIN  12u
#define NAMED_SIZE_MIN  12u
#define TAGGED_SIZE     12u
#define VCPU_SIZE       20u
#define FILESYSTEM_MIN  16u

static StasisWireDomain *
get_domain (StasisXdrReader *in)
{
  StasisWireDomain *domain = g_new0 (StasisWireDomain, 1);
  domain->name = stasis_xdr_get_string (in, STASIS_WIRE_STRING_MAX);
  stasis_xdr_get_fixed (in, domain->uuid, sizeof domain->uuid);
  domain->id = stasis_xdr_get_i32 (in);
  if (stasis_xdr_is_ok (in))
    return domain;
  stasis_wire_domain_free (domain);
  return NULL;
}

static void
put_domain (GByteArray *out, const StasisWireDomain *domain)
{
  stasis_xdr_put_string (out, domain->name);
  stasis_xdr_put_fixed (out, domain->uuid, sizeof domain->uuid);
  stasis_xdr_put_i32 (out, domain->id);
}

static GPtrArray *
get_domains (StasisXdrReader *in)
{
  GPtrArray *domains = stasis_wire_domains_new ();
  const guint32 count = stasis_xdr_get_count (in, STASIS_WIRE_DOMAINS_MAX, DOMAIN_SIZE_MIN);
  for (guint32 i = 0; i < count && stasis_xdr_is_ok (in); i++)
    {
      StasisWireDomain *domain = get_domain (in);
      if (domain != NULL)
        g_ptr_array_add (domains, domain);
    }
  return domains;
}

/* FALSE where it is of no known kind. */
static gboolean
get_param_value (StasisXdrReader *in, StasisWireParam *param)
{
  switch (param->type)
    {
    case STASIS_WIRE_INT:
    case STASIS_WIRE_BOOLEAN:
      param->value.i = stasis_xdr_get_i32 (in);
      return TRUE;
    case STASIS_WIRE_UINT:
      param->value.u = stasis_xdr_get_u32 (in);
      return TRUE;
    case STASIS_WIRE_LLONG:
    case STASIS_WIRE_ULLONG:
      param->value.ul = stasis_xdr_get_u64 (in);
      return TRUE;
    case STASIS_WIRE_DOUBLE:
      param->value.d = stasis_xdr_get_double (in);
      return TRUE;
    case STASIS_WIRE_STRING:
      param->value.s = stasis_xdr_get_string (in, STASIS_WIRE_STRING_MAX);
      return TRUE;
    }
  return FALSE;
}

static GPtrArray *
get_params (StasisXdrReader *in, guint32 max)
{
  GPtrArray *params = stasis_wire_params_new ();
  const guint32 count = stasis_xdr_get_count (in, max, PARAM_SIZE_MIN);
  for (guint32 i = 0; i < count && stasis_xdr_is_ok (in); i++)
    {
      StasisWireParam *param = g_new0 (StasisWireParam, 1);
      g_ptr_array_add (params, param);
      param->name = stasis_xdr_get_string (in, STASIS_WIRE_STRING_MAX);
      param->type = stasis_xdr_get_u32 (in);
      if (!get_param_value (in, param))
        stasis_xdr_spoil (in);
    }
  return params;
}

/* Parameters of one kind only, which is not written. */
static GPtrArray *
get_named (StasisXdrReader *in)
{
  GPtrArray *params = stasis_wire_params_new ();
  const guint32 count = stasis_xdr_get_count (in, PARAMS_MAX, NAMED_SIZE_MIN);
  for (guint32 i = 0; i < count && stasis_xdr_is_ok (in); i++)
    {
      StasisWireParam *param = g_new0 (StasisWireParam, 1);
      g_ptr_array_add (params, param);
      param->name = stasis_xdr_get_string (in, STASIS_WIRE_STRING_MAX);
      param->type = STASIS_WIRE_ULLONG;
      param->value.ul = stasis_xdr_get_u64 (in);
    }
  return params;
}

static void
put_param (GByteArray *out, const StasisWireParam *param)
{
  stasis_xdr_put_string (out, param->name);
  stasis_xdr_put_u32 (out, param->type);
  switch (param->type)
    {
    case STASIS_WIRE_INT:
    case STASIS_WIRE_BOOLEAN:
      stasis_xdr_put_i32 (out, param->value.i);
      break;
    case STASIS_WIRE_UINT:
      stasis_xdr_put_u32 (out, param->value.u);
      break;
    case STASIS_WIRE_LLONG:
    case STASIS_WIRE_ULLONG:
      stasis_xdr_put_u64 (out, param->value.ul);
      break;
    case STASIS_WIRE_DOUBLE:
      stasis_xdr_put_double (out, param->value.d);
      break;
    case STASIS_WIRE_STRING:
      stasis_xdr_put_string (out, param->value.s);
      break;
    }
}

static GPtrArray *
get_records (StasisXdrReader *in)
{
  GPtrArray *records = stasis_wire_records_new ();
  const guint32 count = stasis_xdr_get_count (in, STASIS_WIRE_DOMAINS_MAX, DOMAIN_SIZE_MIN + 4);
  for (guint32 i = 0; i < count && stasis_xdr_is_ok (in); i++)
    {
      StasisWireDomain *domain = get_domain (in);
      if (domain != NULL)
        g_ptr_array_add (records, stasis_wire_record_new (domain, get_params (in, STATS_MAX)));
    }
  return records;
}

static GPtrArray *
get_strings (StasisXdrReader *in, guint32 max)
{
  GPtrArray *strings = stasis_wire_strings_new ();
  const guint32 count = stasis_xdr_get_count (in, max, 4);
  for (guint32 i = 0; i < count && stasis_xdr_is_ok (in); i++)
    {
      char *text = stasis_xdr_get_string (in, STASIS_WIRE_STRING_MAX);
      if (text != NULL)
        g_ptr_array_add (strings, text);
    }
  return strings;
}

static GPtrArray *
get_filesystems (StasisXdrReader *in)
{
  GPtrArray *filesystems = stasis_wire_filesystems_new ();
  const guint32 count = stasis_xdr_get_count (in, STASIS_WIRE_FILESYSTEMS_MAX, FILESYSTEM_MIN);
  for (guint32 i = 0; i < count && stasis_xdr_is_ok (in); i++)
    {
      g_autofree char *mountpoint = stasis_xdr_get_string (in, STASIS_WIRE_STRING_MAX);
      g_autofree char *name = stasis_xdr_get_string (in, STASIS_WIRE_STRING_MAX);
      g_autofree char *type = stasis_xdr_get_string (in, STASIS_WIRE_STRING_MAX);
      StasisWireFilesystem *one = stasis_wire_filesystems_add (filesystems, mountpoint, name, type);
      g_ptr_array_unref (one->disks);
      one->disks = get_strings (in, STASIS_WIRE_FILESYSTEMS_MAX);
    }
  return filesystems;
}

static GArray *
get_numbers (StasisXdrReader *in)
{
  GArray *numbers = g_array_new (FALSE, FALSE, sizeof (gint32));
  const guint32 count = stasis_xdr_get_count (in, NUMBERS_MAX, 4);
  for (guint32 i = 0; i < count; i++)
    {
      const gint32 number = stasis_xdr_get_i32 (in);
      g_array_append_val (numbers, number);
    }
  return numbers;
}

static GArray *
get_rows (StasisXdrReader *in, gboolean is_vcpu)
{
  GArray *rows = stasis_wire_rows_new ();
  const guint32 count = stasis_xdr_get_count (in, ROWS_MAX, is_vcpu ? VCPU_SIZE : TAGGED_SIZE);
  for (guint32 i = 0; i < count; i++)
    {
      StasisWireRow row = { .number = stasis_xdr_get_i32 (in) };
      if (is_vcpu)
        row.state = stasis_xdr_get_i32 (in);
      row.value = stasis_xdr_get_u64 (in);
      if (is_vcpu)
        row.cpu = stasis_xdr_get_i32 (in);
      g_array_append_val (rows, row);
    }
  return rows;
}

static void
put_rows (GByteArray *out, const GArray *rows, gboolean is_vcpu)
{
  const guint count = rows != NULL ? rows->len : 0;
  stasis_xdr_put_u32 (out, count);
  for (guint i = 0; i < count; i++)
    {
      const StasisWireRow *row = &g_array_index (rows, StasisWireRow, i);
      stasis_xdr_put_i32 (out, row->number);
      if (is_vcpu)
        stasis_xdr_put_i32 (out, row->state);
      stasis_xdr_put_u64 (out, row->value);
      if (is_vcpu)
        stasis_xdr_put_i32 (out, row->cpu);
    }
}

/* One in each word. */
static char *
get_characters (StasisXdrReader *in, guint32 count)
{
  char *text = g_malloc0 (count + 1);
  for (guint32 i = 0; i < count; i++)
    text[i] = (char) stasis_xdr_get_u32 (in);
  return text;
}

static void
put_characters (GByteArray *out, const char *text, gsize count)
{
  const gsize length = text != NULL ? strlen (text) : 0;
  for (gsize i = 0; i < count; i++)
    stasis_xdr_put_u32 (out, i < length ? (guint8) text[i] : 0);
}

/* A list is counted, also where there is none. */
static void
put_items (GByteArray *out, char letter, const GPtrArray *items)
{
  const guint count = items != NULL ? items->len : 0;
  stasis_xdr_put_u32 (out, count);
  for (guint i = 0; i < count; i++)
    {
      gconstpointer item = g_ptr_array_index (items, i);
      const StasisWireRecord *record = item;
      if (letter == 'A')
        put_domain (out, item);
      else if (letter == 'S')
        stasis_xdr_put_string (out, item);
      else if (letter == 'N')
        {
          const StasisWireParam *param = item;
          stasis_xdr_put_string (out, param->name);
          stasis_xdr_put_u64 (out, param->value.ul);
        }
      else if (letter == 'R')
        {
          put_domain (out, record->domain);
          put_items (out, 'P', record->params);
        }
      else
        put_param (out, item);
    }
}

static void
put_filesystems (GByteArray *out, const GPtrArray *filesystems)
{
  const guint count = filesystems != NULL ? filesystems->len : 0;
  stasis_xdr_put_u32 (out, count);
  for (guint i = 0; i < count; i++)
    {
      const StasisWireFilesystem *one = g_ptr_array_index (filesystems, i);
      stasis_xdr_put_string (out, one->mountpoint);
      stasis_xdr_put_string (out, one->name);
      stasis_xdr_put_string (out, one->type);
      put_items (out, 'S', one->disks);
    }
}

static void
put_numbers (GByteArray *out, const GArray *numbers)
{
  const guint count = numbers != NULL ? numbers->len : 0;
  stasis_xdr_put_u32 (out, count);
  for (guint i = 0; i < count; i++)
    stasis_xdr_put_i32 (out, g_array_index (numbers, gint32, i));
}

static void
put_bytes (GByteArray *out, GBytes *bytes)
{
  gsize length = 0;
  gconstpointer octets = bytes != NULL ? g_bytes_get_data (bytes, &length) : NULL;
  stasis_xdr_put_bytes (out, octets, length);
}

static void
get_scalar (StasisXdrReader *in, char letter, StasisWireValue *value)
{
  switch (letter)
    {
    case 'i':
    case 'u':
      value->u = stasis_xdr_get_u32 (in);
      break;
    case 'l':
    case 'U':
      value->ul = stasis_xdr_get_u64 (in);
      break;
    case 'd':
      value->d = stasis_xdr_get_double (in);
      break;
    case 'x':
      stasis_xdr_get_fixed (in, value->uuid, sizeof value->uuid);
      break;
    default:
      g_assert_not_reached ();
    }
}

static void
get_value (StasisXdrReader *in, char letter, StasisWireValue *value)
{
  if (strchr ("zO", letter) != NULL && !stasis_xdr_get_flag (in))
    return;
  if (strchr ("sz", letter) != NULL)
    value->s = stasis_xdr_get_string (in, STASIS_WIRE_STRING_MAX);
  else if (strchr ("DO", letter) != NULL)
    value->domain = get_domain (in);
  else if (letter == 'b')
    value->bytes = stasis_xdr_get_bytes (in, STASIS_WIRE_STRING_MAX);
  else if (letter == 'A')
    value->items = get_domains (in);
  else if (letter == 'p')
    value->items = get_params (in, PARAMS_MAX);
  else if (letter == 'P')
    value->items = get_params (in, STATS_MAX);
  else if (letter == 'R')
    value->items = get_records (in);
  else if (letter == 'S')
    value->items = get_strings (in, STRINGS_MAX);
  else if (letter == 'F')
    value->items = get_filesystems (in);
  else if (letter == 'N')
    value->items = get_named (in);
  else if (letter == 'T' || letter == 'V')
    value->rows = get_rows (in, letter == 'V');
  else if (letter == 'I')
    value->numbers = get_numbers (in);
  else if (letter == 'm')
    value->s = get_characters (in, CHARACTERS_FEW);
  else if (letter == 'M')
    value->s = get_characters (in, stasis_xdr_get_count (in, CHARACTERS_MAX, 4));
  else
    get_scalar (in, letter, value);
}

/* Octets to values. */
gboolean
stasis_wire_decode (StasisXdrReader *in, const char *layout, StasisWireValue *values)
{
  memset (values, 0, strlen (layout) * sizeof *values);
  for (gsize i = 0; layout[i] != '\0' && stasis_xdr_is_ok (in); i++)
    get_value (in, layout[i], &values[i]);
  return stasis_xdr_is_ok (in);
}

static void
put_scalar (GByteArray *out, char letter, const StasisWireValue *value)
{
  switch (letter)
    {
    case 'i':
    case 'u':
      stasis_xdr_put_u32 (out, value->u);
      break;
    case 'l':
    case 'U':
      stasis_xdr_put_u64 (out, value->ul);
      break;
    case 'd':
      stasis_xdr_put_double (out, value->d);
      break;
    case 'x':
      stasis_xdr_put_fixed (out, value->uuid, sizeof value->uuid);
      break;
    default:
      g_assert_not_reached ();
    }
}

static void
put_value (GByteArray *out, char letter, const StasisWireValue *value)
{
  if (letter == 's')
    stasis_xdr_put_string (out, value->s != NULL ? value->s : "");
  else if (letter == 'z')
    stasis_xdr_put_optional_string (out, value->s);
  else if (letter == 'D')
    put_domain (out, value->domain);
  else if (letter == 'O')
    {
      stasis_xdr_put_u32 (out, value->domain != NULL ? 1 : 0);
      if (value->domain != NULL)
        put_domain (out, value->domain);
    }
  else if (letter == 'b')
    put_bytes (out, value->bytes);
  else if (letter == 'I')
    put_numbers (out, value->numbers);
  else if (letter == 'T' || letter == 'V')
    put_rows (out, value->rows, letter == 'V');
  else if (letter == 'm')
    put_characters (out, value->s, CHARACTERS_FEW);
  else if (letter == 'M')
    {
      const gsize count = value->s != NULL ? strlen (value->s) + 1 : 0;
      stasis_xdr_put_u32 (out, (guint32) count);
      put_characters (out, value->s, count);
    }
  else if (letter == 'F')
    put_filesystems (out, value->items);
  else if (strchr ("ANpPRS", letter) != NULL)
    put_items (out, letter, value->items);
  else
    put_scalar (out, letter, value);
}

/* Values to octets. */
void
stasis_wire_encode (GByteArray *out, const char *layout, const StasisWireValue *values)
{
  for (gsize i = 0; layout[i] != '\0'; i++)
    put_value (out, layout[i], &values[i]);
}

/* What they own. */
void
stasis_wire_clear (const char *layout, StasisWireValue *values)
{
  for (gsize i = 0; layout[i] != '\0'; i++)
    {
      if (strchr ("szmM", layout[i]) != NULL)
        g_clear_pointer (&values[i].s, g_free);
      else if (strchr ("DO", layout[i]) != NULL)
        g_clear_pointer (&values[i].domain, stasis_wire_domain_free);
      else if (layout[i] == 'b')
        g_clear_pointer (&values[i].bytes, g_bytes_unref);
      else if (layout[i] == 'I')
        g_clear_pointer (&values[i].numbers, g_array_unref);
      else if (strchr ("TV", layout[i]) != NULL)
        g_clear_pointer (&values[i].rows, g_array_unref);
      else if (strchr ("AFNpPRS", layout[i]) != NULL)
        g_clear_pointer (&values[i].items, g_ptr_array_unref);
    }
}
