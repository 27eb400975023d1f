select * from {{ source('all', 'clean_orders') }}
