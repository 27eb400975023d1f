select c.city, count(*)::integer as orders, count(distinct c.id)::integer as customers, sum(o.share)::bigint as shares
from {{ ref('placed') }} as o join {{ source('all', 'crm_deidentified_customers') }} as c on c.id = o.customer
where c.city is not null
group by c.city
