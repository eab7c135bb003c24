// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree in configfs, docs/mock-iommu.md:
 *
 *   mock-iommu/                     the subsystem
 *   mock-iommu/INSTANCE/            mkdir makes an IOMMU instance
 *   mock-iommu/INSTANCE/DEVICE/     mkdir makes a device behind it
 *
 * A directory holds the settings; the attribute `live` makes the instance or device
 * of them, and they cannot be changed until it is 0 again, or rmdir. An instance
 * outlives its devices: configfs keeps its directory as long as they have theirs, and
 * `live` as long as one of them is live.
 *
 * Each directory has a mutex for its settings and what was made of them. The device's
 * is taken before its instance's.
 */
#include <linux/configfs.h>
#include <linux/ctype.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "mock.h"

/* ATTACH of iommu-faultq takes "platform/" and the name in as many bytes. */
#define CONFIG_NAME_MAX	(MOCK_IOMMU_NAME_SIZE - 1 - strlen("platform/"))

/**
 * struct config_instance - directory of an instance
 * @group: for configfs
 * @lock: guards what follows
 * @depth: attribute queue_depth
 * @free_on_report: attribute
 * @live: NULL: not live
 * @nr_live: devices that are live
 */
struct config_instance {
	struct config_group group;
	struct mutex lock;	/* of the directory */
	unsigned int depth;
	bool free_on_report;
	struct mock_instance *live;
	unsigned int nr_live;
};

/**
 * struct config_device - directory of a device
 * @group: for configfs
 * @parent: directory of its instance, which stays as long as this one
 * @lock: guards what follows
 * @settings: most of the attributes
 * @live: NULL: not live
 * @dma: the last that attribute dma started, or NULL
 */
struct config_device {
	struct config_group group;
	struct config_instance *parent;
	struct mutex lock;	/* of the directory */
	struct mock_settings settings;
	struct mock_device *live;
	struct mock_dma *dma;
};

static struct config_instance *to_instance(struct config_item *item)
{
	return container_of(to_config_group(item), struct config_instance, group);
}

static struct config_device *to_device(struct config_item *item)
{
	return container_of(to_config_group(item), struct config_device, group);
}

static int parse_uint(const char *page, unsigned int least, unsigned int most,
		      unsigned int *value)
{
	unsigned int parsed;
	int ret;

	ret = kstrtouint(page, 0, &parsed);
	if (ret)
		return ret;
	if (parsed < least || parsed > most)
		return -EINVAL;
	*value = parsed;
	return 0;
}

/*
 * Instances
 */

static int instance_set_live(struct config_instance *config, bool live)
{
	struct mock_instance *instance;

	if (live == !!config->live)
		return 0;
	if (!live) {
		if (config->nr_live)
			return -EBUSY;
		mock_instance_destroy(config->live);
		config->live = NULL;
		return 0;
	}
	instance = mock_instance_create(config_item_name(&config->group.cg_item),
					config->depth, config->free_on_report);
	if (IS_ERR(instance))
		return PTR_ERR(instance);
	config->live = instance;
	return 0;
}

static ssize_t mock_instance_live_show(struct config_item *item, char *page)
{
	return sprintf(page, "%d\n", !!READ_ONCE(to_instance(item)->live));
}

static ssize_t mock_instance_live_store(struct config_item *item, const char *page,
					size_t count)
{
	struct config_instance *config = to_instance(item);
	bool live;
	int ret;

	ret = kstrtobool(page, &live);
	if (ret)
		return ret;
	mutex_lock(&config->lock);
	ret = instance_set_live(config, live);
	mutex_unlock(&config->lock);
	return ret ?: count;
}

static ssize_t mock_instance_queue_depth_show(struct config_item *item, char *page)
{
	return sprintf(page, "%u\n", READ_ONCE(to_instance(item)->depth));
}

static ssize_t mock_instance_queue_depth_store(struct config_item *item, const char *page,
					       size_t count)
{
	struct config_instance *config = to_instance(item);
	int ret = -EBUSY;

	mutex_lock(&config->lock);
	if (!config->live)
		ret = parse_uint(page, 1, MOCK_DEPTH_MAX, &config->depth);
	mutex_unlock(&config->lock);
	return ret ?: count;
}

static ssize_t mock_instance_free_on_report_show(struct config_item *item, char *page)
{
	return sprintf(page, "%d\n", READ_ONCE(to_instance(item)->free_on_report));
}

static ssize_t mock_instance_free_on_report_store(struct config_item *item,
						  const char *page, size_t count)
{
	struct config_instance *config = to_instance(item);
	int ret = -EBUSY;

	mutex_lock(&config->lock);
	if (!config->live)
		ret = kstrtobool(page, &config->free_on_report);
	mutex_unlock(&config->lock);
	return ret ?: count;
}

static ssize_t mock_instance_state_show(struct config_item *item, char *page)
{
	struct config_instance *config = to_instance(item);
	ssize_t ret = -ENODEV;

	mutex_lock(&config->lock);
	if (config->live)
		ret = mock_text_instance_state(config->live, page);
	mutex_unlock(&config->lock);
	return ret;
}

CONFIGFS_ATTR(mock_instance_, live);
CONFIGFS_ATTR(mock_instance_, queue_depth);
CONFIGFS_ATTR(mock_instance_, free_on_report);
CONFIGFS_ATTR_RO(mock_instance_, state);

static struct configfs_attribute *instance_attrs[] = {
	&mock_instance_attr_live,
	&mock_instance_attr_queue_depth,
	&mock_instance_attr_free_on_report,
	&mock_instance_attr_state,
	NULL
};

/*
 * Devices
 */

static int device_make_live(struct config_device *config)
{
	struct config_instance *parent = config->parent;
	struct mock_device *device;
	int ret = 0;

	mutex_lock(&parent->lock);
	if (!parent->live) {
		ret = -ENODEV;
		goto out;
	}
	device = mock_device_create(parent->live, config_item_name(&config->group.cg_item),
				    &config->settings);
	if (IS_ERR(device)) {
		ret = PTR_ERR(device);
		goto out;
	}
	config->live = device;
	parent->nr_live++;
out:
	mutex_unlock(&parent->lock);
	return ret;
}

static void device_undo_live(struct config_device *config)
{
	mock_device_destroy(config->live);
	config->live = NULL;
	if (config->dma)
		mock_dma_put(config->dma);
	config->dma = NULL;
	mutex_lock(&config->parent->lock);
	config->parent->nr_live--;
	mutex_unlock(&config->parent->lock);
}

static int device_set_live(struct config_device *config, bool live)
{
	if (live == !!config->live)
		return 0;
	if (live)
		return device_make_live(config);
	device_undo_live(config);
	return 0;
}

static ssize_t mock_device_live_show(struct config_item *item, char *page)
{
	return sprintf(page, "%d\n", !!READ_ONCE(to_device(item)->live));
}

static ssize_t mock_device_live_store(struct config_item *item, const char *page,
				      size_t count)
{
	struct config_device *config = to_device(item);
	bool live;
	int ret;

	ret = kstrtobool(page, &live);
	if (ret)
		return ret;
	mutex_lock(&config->lock);
	ret = device_set_live(config, live);
	mutex_unlock(&config->lock);
	return ret ?: count;
}

static ssize_t mock_device_dev_name_show(struct config_item *item, char *page)
{
	return sprintf(page, "mock-%s-%s\n",
		       config_item_name(&to_device(item)->parent->group.cg_item),
		       config_item_name(item));
}

/* What a store function does with a value that it may change: called not live. */
typedef int (*device_parse_fn)(struct mock_settings *settings, const char *page);

static ssize_t device_store(struct config_item *item, const char *page, size_t count,
			    device_parse_fn parse)
{
	struct config_device *config = to_device(item);
	int ret = -EBUSY;

	mutex_lock(&config->lock);
	if (!config->live)
		ret = parse(&config->settings, page);
	mutex_unlock(&config->lock);
	return ret ?: count;
}

#define DEVICE_ATTR_PARSED(_name)						\
static ssize_t mock_device_##_name##_store(struct config_item *item,		\
					   const char *page, size_t count)	\
{										\
	return device_store(item, page, count, parse_##_name);			\
}										\
CONFIGFS_ATTR(mock_device_, _name)

static const char * const mode_names[] = {
	[MOCK_MODE_PRI] = "pri",
	[MOCK_MODE_STALL] = "stall",
	[MOCK_MODE_NONE] = "none",
};

static int parse_mode(struct mock_settings *settings, const char *page)
{
	int mode = sysfs_match_string(mode_names, page);

	if (mode < 0)
		return mode;
	settings->mode = mode;
	return 0;
}

static ssize_t mock_device_mode_show(struct config_item *item, char *page)
{
	return sprintf(page, "%s\n", mode_names[READ_ONCE(to_device(item)->settings.mode)]);
}

static int parse_pasid_bits(struct mock_settings *settings, const char *page)
{
	return parse_uint(page, 0, MOCK_PASID_BITS_MAX, &settings->pasid_bits);
}

static ssize_t mock_device_pasid_bits_show(struct config_item *item, char *page)
{
	return sprintf(page, "%u\n", READ_ONCE(to_device(item)->settings.pasid_bits));
}

static int parse_credits(struct mock_settings *settings, const char *page)
{
	return parse_uint(page, 1, MOCK_CREDITS_MAX, &settings->credits);
}

static ssize_t mock_device_credits_show(struct config_item *item, char *page)
{
	return sprintf(page, "%u\n", READ_ONCE(to_device(item)->settings.credits));
}

static const char * const unrecoverable_names[] = { "device", "domain" };

static int parse_unrecoverable(struct mock_settings *settings, const char *page)
{
	int by_domain = sysfs_match_string(unrecoverable_names, page);

	if (by_domain < 0)
		return by_domain;
	settings->fault_by_domain = by_domain;
	return 0;
}

static ssize_t mock_device_unrecoverable_show(struct config_item *item, char *page)
{
	bool by_domain = READ_ONCE(to_device(item)->settings.fault_by_domain);

	return sprintf(page, "%s\n", unrecoverable_names[by_domain]);
}

static int parse_response_pasid(struct mock_settings *settings, const char *page)
{
	return kstrtobool(page, &settings->response_pasid);
}

static ssize_t mock_device_response_pasid_show(struct config_item *item, char *page)
{
	return sprintf(page, "%d\n", READ_ONCE(to_device(item)->settings.response_pasid));
}

static int parse_page_requests(struct mock_settings *settings, const char *page)
{
	return kstrtobool(page, &settings->page_requests);
}

static ssize_t mock_device_page_requests_show(struct config_item *item, char *page)
{
	return sprintf(page, "%d\n", READ_ONCE(to_device(item)->settings.page_requests));
}

static int parse_request_bits(struct mock_settings *settings, const char *page)
{
	return parse_uint(page, 0, MOCK_IOVA_BITS, &settings->request_bits);
}

static ssize_t mock_device_request_bits_show(struct config_item *item, char *page)
{
	return sprintf(page, "%u\n", READ_ONCE(to_device(item)->settings.request_bits));
}

static int parse_shared_requests(struct mock_settings *settings, const char *page)
{
	return kstrtobool(page, &settings->shared_requests);
}

static ssize_t mock_device_shared_requests_show(struct config_item *item, char *page)
{
	return sprintf(page, "%d\n", READ_ONCE(to_device(item)->settings.shared_requests));
}

static int parse_coherent(struct mock_settings *settings, const char *page)
{
	return kstrtobool(page, &settings->coherent);
}

static ssize_t mock_device_coherent_show(struct config_item *item, char *page)
{
	return sprintf(page, "%d\n", READ_ONCE(to_device(item)->settings.coherent));
}

static int parse_snoop_control(struct mock_settings *settings, const char *page)
{
	return kstrtobool(page, &settings->snoop_control);
}

static ssize_t mock_device_snoop_control_show(struct config_item *item, char *page)
{
	return sprintf(page, "%d\n", READ_ONCE(to_device(item)->settings.snoop_control));
}

static const char * const reserved_names[] = {
	[IOMMU_RESV_DIRECT] = "direct",
	[IOMMU_RESV_DIRECT_RELAXABLE] = "direct-relaxable",
	[IOMMU_RESV_RESERVED] = "reserved",
	[IOMMU_RESV_MSI] = "msi",
	[IOMMU_RESV_SW_MSI] = "sw-msi",
};

static int parse_reserved_line(struct mock_settings *settings, const char *line)
{
	struct mock_reserved *reserved = &settings->reserved[settings->nr_reserved];
	unsigned long long start, length;
	char name[20], end;
	int type;

	if (settings->nr_reserved == MOCK_RESERVED_MAX)
		return -ENOSPC;
	if (sscanf(line, "%lli %lli %19s %c", &start, &length, name, &end) != 3)
		return -EINVAL;
	type = match_string(reserved_names, ARRAY_SIZE(reserved_names), name);
	if (type < 0 || !length || start + length - 1 < start)
		return -EINVAL;
	reserved->start = start;
	reserved->length = length;
	reserved->type = type;
	settings->nr_reserved++;
	return 0;
}

/* All lines or none. */
static int parse_reserved_lines(struct mock_settings *settings, char *text)
{
	unsigned int before = settings->nr_reserved;
	char *line;
	int ret;

	while ((line = strsep(&text, "\n"))) {
		ret = parse_reserved_line(settings, line);
		if (ret) {
			settings->nr_reserved = before;
			return ret;
		}
	}
	return 0;
}

static int parse_reserved(struct mock_settings *settings, const char *page)
{
	char *copy, *text;
	int ret = 0;

	copy = kstrdup(page, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	text = strim(copy);
	if (*text)
		ret = parse_reserved_lines(settings, text);
	else
		settings->nr_reserved = 0;
	kfree(copy);
	return ret;
}

static ssize_t mock_device_reserved_show(struct config_item *item, char *page)
{
	struct config_device *config = to_device(item);
	const struct mock_reserved *reserved = config->settings.reserved;
	unsigned int i;
	int at = 0;

	mutex_lock(&config->lock);
	for (i = 0; i < config->settings.nr_reserved; i++, reserved++)
		at += scnprintf(page + at, PAGE_SIZE - at, "%#llx %#zx %s\n",
				(u64)reserved->start, reserved->length,
				reserved_names[reserved->type]);
	mutex_unlock(&config->lock);
	return at;
}

/* Exactly as the kernel writes it, so that names can be compared. */
static int parse_pci(struct mock_settings *settings, const char *page)
{
	unsigned int domain, bus, slot, function;
	char name[MOCK_PCI_NAME_SIZE] = "";

	if (!sysfs_streq(page, "")) {
		if (sscanf(page, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
			return -EINVAL;
		if (bus > 0xff || slot > 0x1f || function > 7)
			return -EINVAL;
		snprintf(name, sizeof(name), "%04x:%02x:%02x.%x", domain, bus, slot, function);
	}
	if (!sysfs_streq(page, name))
		return -EINVAL;
	strscpy(settings->pci, name, sizeof(settings->pci));
	return 0;
}

static ssize_t mock_device_pci_show(struct config_item *item, char *page)
{
	struct config_device *config = to_device(item);
	int length;

	mutex_lock(&config->lock);
	length = sprintf(page, "%s\n", config->settings.pci);
	mutex_unlock(&config->lock);
	return length;
}

static ssize_t mock_device_state_show(struct config_item *item, char *page)
{
	struct config_device *config = to_device(item);
	ssize_t ret = -ENODEV;

	mutex_lock(&config->lock);
	if (config->live)
		ret = mock_text_state(config->live, page);
	mutex_unlock(&config->lock);
	return ret;
}

static ssize_t mock_device_dma_show(struct config_item *item, char *page)
{
	struct config_device *config = to_device(item);
	ssize_t ret = -ENODEV;

	mutex_lock(&config->lock);
	if (config->live)
		ret = config->dma ? mock_text_dma_show(config->dma, page) : 0;
	mutex_unlock(&config->lock);
	return ret;
}

static int device_dma(struct config_device *config, char *line)
{
	struct mock_dma *dma;

	if (config->dma && !completion_done(&config->dma->ended))
		return -EBUSY;
	dma = mock_text_dma_start(config->live, line);
	if (IS_ERR(dma))
		return PTR_ERR(dma);
	if (config->dma)
		mock_dma_put(config->dma);
	config->dma = dma;
	return 0;
}

static int device_inject(struct config_device *config, char *line)
{
	return mock_text_inject(config->live, line);
}

/* Run one of the two above on a copy of the line, on a live device. */
static ssize_t device_run(struct config_item *item, const char *page, size_t count,
			  int (*run)(struct config_device *config, char *line))
{
	struct config_device *config = to_device(item);
	int ret = -ENODEV;
	char *copy;

	copy = kstrdup(page, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	mutex_lock(&config->lock);
	if (config->live)
		ret = run(config, strim(copy));
	mutex_unlock(&config->lock);
	kfree(copy);
	return ret ?: count;
}

static ssize_t mock_device_dma_store(struct config_item *item, const char *page,
				     size_t count)
{
	return device_run(item, page, count, device_dma);
}

static ssize_t mock_device_inject_store(struct config_item *item, const char *page,
					size_t count)
{
	return device_run(item, page, count, device_inject);
}

CONFIGFS_ATTR(mock_device_, live);
CONFIGFS_ATTR_RO(mock_device_, dev_name);
DEVICE_ATTR_PARSED(mode);
DEVICE_ATTR_PARSED(pasid_bits);
DEVICE_ATTR_PARSED(credits);
DEVICE_ATTR_PARSED(unrecoverable);
DEVICE_ATTR_PARSED(response_pasid);
DEVICE_ATTR_PARSED(page_requests);
DEVICE_ATTR_PARSED(request_bits);
DEVICE_ATTR_PARSED(shared_requests);
DEVICE_ATTR_PARSED(coherent);
DEVICE_ATTR_PARSED(snoop_control);
DEVICE_ATTR_PARSED(reserved);
DEVICE_ATTR_PARSED(pci);
CONFIGFS_ATTR_RO(mock_device_, state);
CONFIGFS_ATTR(mock_device_, dma);
CONFIGFS_ATTR_WO(mock_device_, inject);

static struct configfs_attribute *device_attrs[] = {
	&mock_device_attr_live,
	&mock_device_attr_dev_name,
	&mock_device_attr_mode,
	&mock_device_attr_pasid_bits,
	&mock_device_attr_credits,
	&mock_device_attr_unrecoverable,
	&mock_device_attr_response_pasid,
	&mock_device_attr_page_requests,
	&mock_device_attr_request_bits,
	&mock_device_attr_shared_requests,
	&mock_device_attr_coherent,
	&mock_device_attr_snoop_control,
	&mock_device_attr_reserved,
	&mock_device_attr_pci,
	&mock_device_attr_state,
	&mock_device_attr_dma,
	&mock_device_attr_inject,
	NULL
};

/*
 * Directories
 */

/*
 * The name of a platform device is made of two of them, joined by '-': the first may
 * have none, or two directories could want the same device.
 */
static bool name_valid(const char *name, bool dash)
{
	for (; *name; name++)
		if (!isalnum(*name) && *name != '_' && *name != '.' &&
		    !(dash && *name == '-'))
			return false;
	return true;
}

static void config_device_release(struct config_item *item)
{
	kfree(to_device(item));
}

static struct configfs_item_operations device_item_ops = {
	.release	= config_device_release,
};

static const struct config_item_type device_type = {
	.ct_item_ops	= &device_item_ops,
	.ct_attrs	= device_attrs,
	.ct_owner	= THIS_MODULE,
};

static struct config_group *make_device(struct config_group *group, const char *name)
{
	struct config_instance *parent = to_instance(&group->cg_item);
	struct config_device *config;

	if (!name_valid(name, true))
		return ERR_PTR(-EINVAL);
	if (strlen("mock--") + strlen(config_item_name(&group->cg_item)) + strlen(name) >
	    CONFIG_NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	config = kzalloc(sizeof(*config), GFP_KERNEL_ACCOUNT);
	if (!config)
		return ERR_PTR(-ENOMEM);
	mutex_init(&config->lock);
	config->parent = parent;
	config->settings.credits = MOCK_CREDITS_DEFAULT;
	config->settings.response_pasid = true;
	config->settings.page_requests = true;
	config->settings.coherent = true;
	config_group_init_type_name(&config->group, name, &device_type);
	return &config->group;
}

/* The directory is gone: what it had made must go with it, whoever still holds it. */
static void drop_device(struct config_group *group, struct config_item *item)
{
	struct config_device *config = to_device(item);

	mutex_lock(&config->lock);
	device_set_live(config, false);
	mutex_unlock(&config->lock);
	config_item_put(item);
}

static void config_instance_release(struct config_item *item)
{
	struct config_instance *config = to_instance(item);

	kfree(config);
}

static struct configfs_item_operations instance_item_ops = {
	.release	= config_instance_release,
};

static struct configfs_group_operations instance_group_ops = {
	.make_group	= make_device,
	.drop_item	= drop_device,
};

static const struct config_item_type instance_type = {
	.ct_item_ops	= &instance_item_ops,
	.ct_group_ops	= &instance_group_ops,
	.ct_attrs	= instance_attrs,
	.ct_owner	= THIS_MODULE,
};

static struct config_group *make_instance(struct config_group *group, const char *name)
{
	struct config_instance *config;

	if (!name_valid(name, false))
		return ERR_PTR(-EINVAL);
	if (strlen("mock-") + strlen(name) > CONFIG_NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	config = kzalloc(sizeof(*config), GFP_KERNEL_ACCOUNT);
	if (!config)
		return ERR_PTR(-ENOMEM);
	mutex_init(&config->lock);
	config->depth = MOCK_DEPTH_DEFAULT;
	config_group_init_type_name(&config->group, name, &instance_type);
	return &config->group;
}

static void drop_instance(struct config_group *group, struct config_item *item)
{
	struct config_instance *config = to_instance(item);

	mutex_lock(&config->lock);
	WARN_ON(instance_set_live(config, false));
	mutex_unlock(&config->lock);
	config_item_put(item);
}

static struct configfs_group_operations subsystem_group_ops = {
	.make_group	= make_instance,
	.drop_item	= drop_instance,
};

static const struct config_item_type subsystem_type = {
	.ct_group_ops	= &subsystem_group_ops,
	.ct_owner	= THIS_MODULE,
};

static struct configfs_subsystem config_subsystem = {
	.su_group.cg_item = {
		.ci_namebuf	= "mock-iommu",
		.ci_type	= &subsystem_type,
	},
};

/**
 * mock_config_init() - make the subsystem in configfs
 *
 * Return: 0 or an error.
 */
int mock_config_init(void)
{
	config_group_init(&config_subsystem.su_group);
	mutex_init(&config_subsystem.su_mutex);
	return configfs_register_subsystem(&config_subsystem);
}

/**
 * mock_config_exit() - remove the subsystem, which is empty, from configfs
 */
void mock_config_exit(void)
{
	configfs_unregister_subsystem(&config_subsystem);
}
