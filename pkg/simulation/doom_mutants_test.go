package simulation_test

const deletion = "pkg/tenancy/deletion.go"

// doomMutants break the deletion of a tenant.
var doomMutants = []mutant{
	{
		"deletion: one pass", deletion,
		"\tcase pass == \"1\":\n", "\tcase pass == \"1\" && false:\n",
	},
	{
		"deletion: what leads to webhooks stays", deletion,
		"\tif len(page) > 0 {\n", "\tif len(page) >= 0 {\n",
	},
	{
		"deletion: rows of one webhook only", deletion,
		"\t\tif n == 0 {\n\t\t\tid--\n", "\t\tif n == 0 {\n\t\t\tid = 0\n",
	},
	{
		"deletion: the job is done before the tenant is forgotten", deletion,
		"\t\tif err := d.Tenants.Forget(ctx, j.Tenant); err != nil {\n\t\t\treturn j, err\n\t\t}\n", "\t\t_ = d.Tenants.Forget(ctx, j.Tenant)\n",
	},
	{
		"deletion: a late message leaves a row", "pkg/dispatch/queue.go",
		"err != nil || w.Revision > 0 {", "err != nil || w.Revision >= 0 {",
	},
}
