/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Structures of ioctls, in and out, the mock's as well. Each begins with its size as its user
 * knows it; what is longer than this kernel knows has to end in zeroes, what is shorter gets them.
 */
#ifndef FQ_COPY_H
#define FQ_COPY_H

#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

/**
 * fq_copy_from() - copy a structure in
 * @to: where to; on error undefined
 * @known: size that this kernel knows; if it is a constant, the usual copy needs no check of it
 * @least: size that was published first
 * @user: the structure
 *
 * Return: 0, -EFAULT, -EINVAL it is too short, or -E2BIG it is longer than a page, or than
 * @known with a tail that is not zero.
 */
static __always_inline int fq_copy_from(void *to, size_t known, size_t least, void __user *user)
{
	u32 size;
	int ret;

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < least)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size == known)
		ret = copy_from_user(to, user, known) ? -EFAULT : 0;
	else
		ret = copy_struct_from_user(to, known, user, size);
	if (!ret)
		*(u32 *)to = size;
	return ret;
}

/**
 * fq_copy_probe() - find out whether a structure can be written, before anything is done
 * @user: the structure, stays as it is
 * @copy: from fq_copy_from()
 * @known: as there
 *
 * Memory of less than a page is in two pages at most: its first and its last byte tell.
 *
 * Return: 0 or -EFAULT.
 */
static inline int fq_copy_probe(u8 __user *user, const void *copy, size_t known)
{
	size_t last = min_t(size_t, *(const u32 *)copy, known) - 1;
	const u8 *bytes = copy;

	if (put_user(bytes[0], user) || put_user(bytes[last], user + last))
		return -EFAULT;
	return 0;
}

/**
 * fq_copy_in() - copy a structure in that will be written, too
 * @to: as for fq_copy_from()
 * @known: the same
 * @least: the same
 * @user: the same
 *
 * Return: the same; -EFAULT also if it cannot be written.
 */
static __always_inline int fq_copy_in(void *to, size_t known, size_t least, void __user *user)
{
	return fq_copy_from(to, known, least, user) ?: fq_copy_probe(user, to, known);
}

/**
 * fq_copy_out() - copy a structure out
 * @user: where it came from
 * @from: from fq_copy_from() or fq_copy_in()
 * @known: as there
 *
 * Return: 0 or -EFAULT.
 */
static __always_inline int fq_copy_out(void __user *user, const void *from, size_t known)
{
	u32 size = *(const u32 *)from;

	if (size >= known)
		return copy_to_user(user, from, known) ? -EFAULT : 0;
	return copy_to_user(user, from, size) ? -EFAULT : 0;
}

#endif
