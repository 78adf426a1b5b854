/* SPDX-License-Identifier: MIT */
/* Whether twpy_dict_rows may be used in this process. */
#ifndef TW_PYTHON_DICT_CHECK_H
#define TW_PYTHON_DICT_CHECK_H

/* 1 where dicts of each kind, made for the purpose, give by twpy_dict_rows what they give by
 * PyDict_Next, 0 where not or where this build knows no layout. Takes some microseconds, raises
 * nothing. */
int twpy_dicts_proven(void);

#endif
