"""What runs when: plan and apply, the scheduler, one job, status."""
