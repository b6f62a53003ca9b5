/* version.h - the version of all programs, and the date of the manual pages. */
#ifndef ONEBOX_BASE_VERSION_H
#define ONEBOX_BASE_VERSION_H

#define ONEBOX_VERSION "0.1.0"
#define ONEBOX_DATE "2026-11-24"

#endif
