/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procedures.h: the table of what can be called on a connection
 *
 * Numbers, order of members and their encoding are those of libvirt's programs, as clients of 9.0
 * and 11.3 send them.
 */

#pragma once

#include "remote/call.h"

G_BEGIN_DECLS

#define STASIS_PROGRAM_VERSION   1u
#define STASIS_PROGRAM_REMOTE    0x20008086u
#define STASIS_PROGRAM_QEMU      0x20008087u
#define STASIS_PROGRAM_OWN       0x20005354u /* our own: outside of what libvirt has */
#define STASIS_PROGRAM_KEEPALIVE 0x6b656570u

#define STASIS_OWN_VERSION 1u /* of our own program: what get-version answers */

/* What list-domains says of each. */
#define STASIS_OWN_LOOK_STATE      "state"
#define STASIS_OWN_LOOK_REASON     "reason"
#define STASIS_OWN_LOOK_PERSISTENT "persistent"

/* Events of our own program, to who made a call: its serial, and the job's statistics as JSON, or a
 * warning. */
#define STASIS_OWN_JOB_PROGRESS 3
#define STASIS_OWN_WARNING      4
#define STASIS_OWN_GUEST        5
#define STASIS_OWN_EVENT_LAYOUT "us"

#define STASIS_KEEPALIVE_PING 1
#define STASIS_KEEPALIVE_PONG 2

/* Who may call it. */
typedef enum
{
  STASIS_ACCESS_ANY,   /* also before CONNECT_OPEN */
  STASIS_ACCESS_READ,  /* also a connection that may only read */
  STASIS_ACCESS_WRITE, /* not that one */
} StasisAccess;

typedef struct
{
  guint32 program;
  gint32 number;
  const char *name;
  const char *args; /* layouts, see wire.h */
  const char *rets;
  StasisAccess access;
  gboolean is_quick; /* never waits for a job: it is served while others are */
  StasisCallFunc call;
} StasisProcedure;

/* (nullable): one that is served. */
const StasisProcedure *stasis_procedure_find (guint32 program, gint32 number);
/* (nullable): by its name, for clients. */
const StasisProcedure *stasis_procedure_by_name (guint32 program, const char *name);
/* The whole table, for tests. */
const StasisProcedure *stasis_procedures (guint *out_count);
/* Whether anything of that program is served. */
gboolean stasis_program_is_known (guint32 program);

G_END_DECLS
