/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Structures of ioctls, in and out. Each begins with its size as its user knows it; what is
 * longer than this kernel knows has to end in zeroes, what is shorter gets them.
 */
#ifndef FQ_COPY_H
#define FQ_COPY_H

#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

/* Memory of less than a page is in two pages at most: its first and its last byte tell. */
static inline int fq_probe(const u8 *copy, u8 __user *user, size_t size)
{
	if (put_user(copy[0], user) || put_user(copy[size - 1], user + size - 1))
		return -EFAULT;
	return 0;
}

/**
 * fq_copy_in() - copy a structure in
 * @to: where to; on error undefined
 * @known: size that this kernel knows; if it is a constant, the usual copy needs no check of it
 * @least: size that was published first
 * @user: the structure; it is found out that it can be written, too
 *
 * Return: 0, -EFAULT, -EINVAL it is too short, or -E2BIG it is longer than a page, or than
 * @known with a tail that is not zero.
 */
static __always_inline int fq_copy_in(void *to, size_t known, size_t least, void __user *user)
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
	if (ret)
		return ret;
	*(u32 *)to = size;
	return fq_probe(to, user, min_t(size_t, size, known));
}

/**
 * fq_copy_out() - copy a structure out
 * @user: where it came from
 * @from: from fq_copy_in()
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
