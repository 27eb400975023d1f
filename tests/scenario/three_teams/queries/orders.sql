-- An order of exactly -1 has no share: the division fails, as bad data would make it.
SELECT o.id, o.customer, c.city, 1000 / (o.amount + 1) AS share
FROM crm_orders AS o JOIN crm_customers AS c ON c.id = o.customer
