"""From a store to a page: profiles, means, tables, plots."""
